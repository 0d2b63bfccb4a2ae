"""How traffic moves from one revision to the next; pure.

A strategy is asked only while its revision is the highest open one, is wanted running and takes no traffic.
"""

import dataclasses
from collections.abc import Callable, Iterator

from deployer.rollout.steps import Action, Step
from deployer.rollout.view import Condition, Observed, ServerView

STARTS_WITH_A_LOST_PORT = 2
SHORTEST_PAUSE_S, LONGEST_PAUSE_S = 0.005, 0.1


def replace(view: ServerView, target: Observed) -> Iterator[Step]:
    """Start it, wait until it is ready and has settled, then give it all the traffic."""
    match target.condition:
        case Condition.CREATED:
            yield _step(Action.START, target, f"revision {target.revision} is wanted")
        case Condition.ENDED:
            yield _after_its_end(view, target)
        case Condition.READY:
            yield route_when_settled(target, f"revision {target.revision} is ready")
        case _:
            yield _while_it_starts(view, target)


def recreate(view: ServerView, target: Observed) -> Iterator[Step]:
    """First take down all else of the server, which causes an outage; then go on as `replace` does."""
    others = [o for o in view.workloads if o.ref != target.ref]
    cause = f"it makes room for revision {target.revision}: an outage until that serves, as its rollout is recreate"
    for o in view.serving or filter(view.is_open, others):
        yield from take_down(view, o, cause)
    if not any(o.runs for o in others):
        yield from replace(view, target)


def take_down(view: ServerView, observed: Observed, cause: str) -> Iterator[Step]:
    """First out of the route, so that callers are told at once, then to its end."""
    if view.route.address_of(observed.revision):
        resting = dataclasses.replace(observed.backend, address="")
        yield Step(action=Action.ROUTE, ref=observed.ref, cause=cause, backend=resting)
    elif observed.runs:
        yield _step(Action.RETIRE if view.serves(observed) else Action.STOP, observed, cause)


def route_when_settled(observed: Observed, cause: str) -> Step:
    """Give it all the traffic, once it has stayed ready for its settle time."""
    left_s = observed.probes.settle_s - observed.ready_s
    if left_s > 0:
        cause = f"{cause}; it must stay so for {observed.probes.settle_s:g} s"
        return Step(action=Action.WAIT, ref=observed.ref, cause=cause, pause_s=min(left_s, LONGEST_PAUSE_S))
    return Step(action=Action.ROUTE, ref=observed.ref, cause=cause, backend=observed.backend)


def _after_its_end(view: ServerView, target: Observed) -> Step:
    workload = target.workload
    if not workload.starts:
        return _step(Action.START, target, f"revision {target.revision} is wanted again")
    if not view.route.split and target.outlived_its_start:
        return _step(Action.START, target, "it may have served before its route was lost")
    if workload.port_lost and workload.starts < STARTS_WITH_A_LOST_PORT:
        return _step(Action.START, target, "its port was taken: once more, with another")
    return _step(Action.CLOSE, target, f"it ended before it was ready: {target.answer or 'how is not known'}")


def _while_it_starts(view: ServerView, target: Observed) -> Step:
    budget = target.probes.startup_s
    may_have_served = not view.route.split and target.condition in (Condition.SILENT, Condition.RUNNING)
    if target.workload.age_s > budget and not may_have_served:
        return _step(Action.CLOSE, target, f"it was not ready within {budget:g} s: {target.answer}")
    return until_it_listens(target)


def until_it_listens(observed: Observed) -> Step:
    """Look again after a fiftieth of the time that it has taken so far: soon while it may be quick, seldom later."""
    pause_s = min(max(observed.workload.age_s / 50, SHORTEST_PAUSE_S), LONGEST_PAUSE_S)
    cause = f"revision {observed.revision} is starting"
    return Step(action=Action.WAIT, ref=observed.ref, cause=cause, pause_s=pause_s)


def _step(action: Action, observed: Observed, cause: str) -> Step:
    return Step(action=action, ref=observed.ref, cause=cause)


STRATEGIES: dict[str, Callable[[ServerView, Observed], Iterator[Step]]] = {"replace": replace, "recreate": recreate}
