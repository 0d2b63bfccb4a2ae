"""What to do next for one model server; pure: no I/O, no clock, no engine.

Reconcile and every deploy carry out the same first step of the same plan, for whatever they find.
Every stop is of something closed, or of something its user stopped: once true, true for ever. Two exceptions are
stopped without a mark, and healed: what makes room for a rollout `recreate`, should that fail, and what hangs for
longer than its config allows.
"""

from collections.abc import Iterator

from deployer.engine import Wanted
from deployer.rollout.steps import Action, Step
from deployer.rollout.strategies import STRATEGIES, route_when_settled, take_down, until_it_listens
from deployer.rollout.view import Condition, Observed, ServerView

GIVE_UP_AFTER_STARTS = 6
LONGEST_BACK_OFF_S = 60


def plan(view: ServerView) -> tuple[Step, ...]:
    """The steps that lead on from what was observed; none where all is as it should be.

    Only one is ever carried out before the next look: the first that has not failed for good. Waiting comes last.
    """
    if view.unreadable:
        return ()
    if not view.workloads:
        return tuple(_forget_the_route(view))
    if rebuilt := tuple(_rebuild_the_route(view)):
        return rebuilt
    going_on = (*_roll_out(view), *_heal(view), *_halt(view))
    ending = (*_overtake(view), *_finish_closing(view), *_clear(view))
    first, then = (ending, going_on) if _is_cramped(view) else (going_on, ending)
    steps = (*first, *then, *_remove_superseded_servers(view), *_route_to_nothing(view))
    if not steps:
        return ()
    acts = tuple(s for s in steps if s.action is not Action.WAIT)
    waits = tuple(s for s in steps if s.action is Action.WAIT)
    return (*acts, *waits[:1])


def given_up(observed: Observed) -> bool:
    """Whether it died so often, soon after its start, that only a person starts it again.

    What was ready for long died for another reason; what ended unseen, as in a reboot, need not have died by itself.
    """
    ending = observed.workload.ending
    died = ending is not None and ending.exit_code is not None and not observed.outlived_its_start
    return died and observed.condition is Condition.ENDED and observed.workload.starts >= GIVE_UP_AFTER_STARTS


def back_off_s(observed: Observed) -> float:
    """Seconds until it may be brought back: none after its first end, then ever longer."""
    starts, ending = observed.workload.starts, observed.workload.ending
    if starts <= 1 or ending is None or observed.outlived_its_start:
        return 0
    return max(0, min(2.0**starts, LONGEST_BACK_OFF_S) - ending.ago_s)


def _forget_the_route(view: ServerView) -> Iterator[Step]:
    if view.route.tag:
        yield Step(action=Action.UNROUTE, cause="a route without a workload")


def _route_to_nothing(view: ServerView) -> Iterator[Step]:
    """A delete that broke off left its route, and what was deployed there since was refused."""
    if view.route.split and not view.serving and not view.open:
        yield Step(action=Action.ROUTE, cause="the route names what is gone")


def _rebuild_the_route(view: ServerView) -> Iterator[Step]:
    """Before anything is closed: a lost route must not cost the revision that serves."""
    if view.route.split or view.stopped:
        return
    if ready := [o for o in view.open if o.ready and o.workload.wanted is Wanted.RUNNING]:
        yield route_when_settled(ready[-1], f"revision {ready[-1].revision} is ready")


def _roll_out(view: ServerView) -> Iterator[Step]:
    target = view.target
    if target and not view.stopped and not view.serves(target):
        yield from STRATEGIES[target.workload.record.config.rollout](view, target)


def _is_cramped(view: ServerView) -> bool:
    """Whether something runs that was to run alone and shall not run on: it goes before anything is started."""
    return any(o.runs and o.runs_alone and o != view.target and not view.serves(o) for o in view.workloads)


def _heal(view: ServerView) -> Iterator[Step]:
    if view.stopped or view.makes_room:
        return
    for o in view.serving:
        if o.workload.wanted is not Wanted.RUNNING:
            continue
        if o.condition in (Condition.CREATED, Condition.ENDED):
            if not o.workload.comes_back and not given_up(o) and not back_off_s(o):
                yield _step(Action.START, o, "it should serve and does not run")
        elif o.ready and view.route.address_of(o.revision) != o.workload.address:
            cause = "it has a new address" if view.route.address_of(o.revision) else "it is ready again"
            yield Step(action=Action.ROUTE, ref=o.ref, cause=cause, backend=o.backend)
        elif o.ready and not o.workload.kept_alive:
            yield _step(Action.KEEP_ALIVE, o, "it serves, so its platform shall bring it back by itself")
        elif o.condition is Condition.UNREACHED and o.workload.age_s <= o.probes.startup_s:
            yield until_it_listens(o)
        elif o.probes.restart_hung_s:
            yield from _restart_hung(o)


def _restart_hung(o: Observed) -> Iterator[Step]:
    """Looks write nothing, and whoever looks ends soon: that it is silent is noted by a step of its own.

    Until it is over its startup budget it may be loading; and what was killed later is healed at once, each time.
    """
    silent_s, limit_s = o.workload.silent_s, o.probes.restart_hung_s
    if silent_s is None:
        if o.condition is Condition.SILENT:
            yield _step(Action.NOTE_SILENCE, o, "it runs and does not answer")
    elif o.answers:
        yield _step(Action.FORGET_SILENCE, o, "it answers again")
    elif o.condition is Condition.SILENT and silent_s >= limit_s and o.workload.age_s > o.probes.startup_s:
        yield _step(Action.KILL, o, f"it has not answered for {limit_s:g} s")


def _halt(view: ServerView) -> Iterator[Step]:
    if not view.stopped:
        return
    if not view.route.tag:
        yield _step(Action.ROUTE, view.open[-1], "it is stopped, and its URL is to say so")
    for o in view.open:
        yield from take_down(view, o, "stopped by its user")


def _overtake(view: ServerView) -> Iterator[Step]:
    target = view.target
    if target and view.route.split:
        for o in view.open:
            if o.revision != target.revision and not view.serves(o) and o.revision < target.revision:
                yield _step(Action.CLOSE, o, superseded_by(target.revision))


def superseded_by(revision: int) -> str:
    """The cause by which a revision is closed for a later one."""
    return f"superseded by revision {revision}"


def _clear(view: ServerView) -> Iterator[Step]:
    kept = _newest_refused(view)
    for o in view.closed:
        if o.runs:
            never_served = o.refused and o.revision > _highest_serving(view)
            yield _step(Action.STOP if never_served else Action.RETIRE, o, "no traffic goes to it any more")
        elif o.revision != kept:
            yield _step(Action.DELETE, o, "no plan wants it")


def _newest_refused(view: ServerView) -> int | None:
    """The refused revision that is kept, for its number, its log and its digest, until a later one serves."""
    never_served = [o.revision for o in view.closed if o.revision > _highest_serving(view) and view.owns(o)]
    return max(never_served, default=None)


def _highest_serving(view: ServerView) -> int:
    return max((b.revision for b in view.route.split), default=0)


def _finish_closing(view: ServerView) -> Iterator[Step]:
    """What somebody began to close and did not come to finish: the number burnt without a mark, or the other way."""
    for o in view.workloads:
        burnt = o.revision <= view.route.high
        if burnt and not o.refused and o.revision > _highest_serving(view):
            overtaken = view.highest_number > o.revision and not o.workload.ending
            yield _step(Action.CLOSE, o, superseded_by(view.highest_number) if overtaken else o.why_closed)
        elif not burnt and not o.refused and not view.owns(o):
            yield _step(Action.CLOSE, o, "it is a revision of a server of the same name that was deleted")
        elif o.refused and not burnt and view.may_burn(o):
            yield _step(Action.CLOSE, o, o.workload.cause)
        elif o.refused and not burnt and o.runs:
            yield _step(Action.STOP, o, o.workload.cause)


def _remove_superseded_servers(view: ServerView) -> Iterator[Step]:
    for o in view.serving:
        for other in o.workload.record.supersedes:
            if view.elsewhere.get(other.uuid) == other.revision:
                cause = f"superseded by revision {o.revision} of {o.workload.record.name}"
                yield Step(action=Action.REMOVE_SERVER, ref=o.ref, cause=cause, superseded=other.uuid)


def _step(action: Action, observed: Observed, cause: str) -> Step:
    return Step(action=action, ref=observed.ref, cause=cause)
