"""Every state of three revisions, followed by the plan to its end in a world where every step succeeds.

How the lowest was rolled out matters only as long as nothing stands above it that may: for it, two revisions do.
"""

import itertools
from collections.abc import Callable, Iterator

import pytest

from deployer.engine import Wanted
from deployer.rollout.plan import plan
from deployer.rollout.steps import Action, Step
from deployer.rollout.view import Condition, Observed, ServerView
from tests.support.worlds import IdealWorld, observed, restarted_when_hung, routed_to

ROLLOUTS = ("replace", "recreate")
Rollouts = tuple[str, ...]
OF_TWO = list(itertools.product(ROLLOUTS, ROLLOUTS))
OF_THREE = [("replace", *others) for others in OF_TWO]
CONDITIONS = (
    Condition.CREATED,
    Condition.UNREACHED,
    Condition.READY,
    Condition.SILENT,
    Condition.ENDED,
)
ALLOWED_S = 10
SILENCES: tuple[tuple[Condition, dict[str, float]], ...] = (
    (Condition.CREATED, {}),
    (Condition.UNREACHED, {"silent_s": 99}),
    (Condition.READY, {}),
    (Condition.READY, {"silent_s": 99}),
    (Condition.SILENT, {"age_s": 21}),
    (Condition.SILENT, {"age_s": 21, "silent_s": 9}),
    (Condition.SILENT, {"age_s": 19, "silent_s": 99}),
    (Condition.SILENT, {"age_s": 21, "silent_s": 10}),
    (Condition.ENDED, {}),
)
"""Of a server that is started within 20 s, and may hang for 10."""
States = Callable[[int, str], list[Observed]]
ENDING_ACTIONS = (Action.STOP, Action.RETIRE, Action.DELETE)


def patient(revision: int, rollout: str) -> list[Observed]:
    """What a revision may be, whose config leaves alone what hangs."""
    return [observed(revision, *state, rollout=rollout) for state in itertools.product(CONDITIONS, Wanted)]


def impatient(revision: int, rollout: str) -> list[Observed]:
    """What one may be that is to be restarted."""
    states = [observed(revision, c, w, rollout=rollout, **noted) for (c, noted) in SILENCES for w in Wanted]
    return [restarted_when_hung(state, ALLOWED_S) for state in states]


def workloads(rollouts: Rollouts, states: States) -> Iterator[tuple[Observed, ...]]:
    """Of revisions 1, 2…, each with its rollout."""
    choices = [[None, *states(n, rollout)] for n, rollout in enumerate(rollouts, start=1)]
    for combination in itertools.product(*choices):
        yield tuple(filter(None, combination))


def views(rollouts: Rollouts, states: States) -> Iterator[ServerView]:
    """All of them but those that the protocol never makes: a route to what is not there, or was refused."""
    for standing in workloads(rollouts, states):
        servable = [o.revision for o in standing if not o.refused]
        for split in (None, *servable):
            for high in range(split or 0, len(rollouts) + 1):
                for address in (None, "") if split else (None,):
                    yield ServerView("s", routed_to(split, high, address=address), standing)


def follow(view: ServerView, followed: set[object]) -> list[str]:
    """What goes wrong on the way to where the plan is empty; `followed` are views whose way is known."""
    world, wrong, way = IdealWorld(view), list[str](), set[object]()
    while (key := essence(world.view)) not in followed:
        followed.add(key)
        way.add(key)
        steps = plan(world.view)
        if not steps:
            return [*wrong, *left_over(world.view)]
        wrong += unsafe(world.view, steps[0])
        wrong += beside(world.view, steps[0])
        before = world.view
        world.carry_out(steps[0])
        wrong += gap(before, world.view, steps[0])
        wrong += burnt_beside(before, world.view, steps[0])
    return [*wrong, "it goes round in circles"] if key in way else wrong


def essence(view: ServerView) -> object:
    states = ((o.revision, o.condition, o.workload) for o in view.workloads)
    return view.route, tuple((n, c, w.wanted, w.silent_s, w.age_s) for n, c, w in states)


def unsafe(view: ServerView, step: Step) -> list[str]:
    if step.action is Action.KILL:
        return [f"{step} kills what need not hang"] if not any(is_due(o) for o in view.serving) else []
    if step.action not in ENDING_ACTIONS:
        return []
    o = next(o for o in view.workloads if o.ref == step.ref)
    if view.is_open(o) and not (view.stopped or makes_room(view, o)):
        return [f"{step} ends an open revision"]
    return [f"{step} takes a backend from the route"] if view.route.address_of(o.revision) else []


def makes_room(view: ServerView, o: Observed) -> bool:
    """Whether a revision that may still serve stands above it, with a rollout that causes an outage."""
    highest = view.open[-1]
    return highest.revision > o.revision and highest.workload.record.config.rollout == "recreate"


def beside(view: ServerView, step: Step) -> list[str]:
    """What is to run alone is started where nothing runs, and nothing beside it, unless no route says who must go."""
    if step.action is not Action.START:
        return []
    (mine,) = (o for o in view.workloads if o.ref == step.ref)
    running = [o for o in view.workloads if o.runs and o is not mine]
    wronged = running if runs_alone(view, mine) else [o for o in running if view.route.split and runs_alone(view, o)]
    return [f"{step} beside {wronged}"] if wronged else []


def runs_alone(view: ServerView, o: Observed) -> bool:
    return o.workload.record.config.rollout == "recreate" and not view.serves(o)


def gap(before: ServerView, after: ServerView, step: object) -> list[str]:
    """A server that served and is not stopped serves after every step, but to make room."""
    if before.stopped or not _serves(before) or _serves(after) or makes_room(before, before.serving[-1]):
        return []
    return [f"nothing serves after {step}"]


def burnt_beside(before: ServerView, after: ServerView, step: Step) -> list[str]:
    """Where no route tells which revision served, none is closed together with another."""
    if before.route.split or step.action is not Action.CLOSE:
        return []
    open_still = {o.revision for o in after.open}
    lost = [o.revision for o in before.open if o.ref != step.ref and o.revision not in open_still]
    return [f"{step} closes {lost} too"] if lost else []


def _serves(view: ServerView) -> bool:
    return any(o.ready and view.route.address_of(o.revision) for o in view.workloads)


def left_over(view: ServerView) -> list[str]:
    running = [o for o in view.workloads if o.runs]
    wrong = [f"revision {o.revision} runs on" for o in running if not view.serves(o)]
    kept = [o.revision for o in view.closed]
    if len(kept) > 1:
        wrong.append(f"more than the newest refused revision is kept: {kept}")
    if view.stopped and running:
        wrong.append("a stopped server runs")
    if view.target and not view.stopped and not view.serves(view.target):
        wrong.append(f"revision {view.target.revision} is wanted and does not serve")
    if view.serving and not view.stopped and not (_serves(view) or _hangs(view.serving[-1])):
        wrong.append(f"revision {view.serving[-1].revision} is named by the route and was not brought back")
    return wrong


def _hangs(o: Observed) -> bool:
    """What is unknown is left alone, unless its config says otherwise."""
    unnoted = bool(o.probes.restart_hung_s) and o.workload.silent_s is None
    return o.condition is Condition.SILENT and not (unnoted or is_due(o))


def is_due(o: Observed) -> bool:
    """Whether it is to be killed."""
    silent_s, age_s = o.workload.silent_s, o.workload.age_s
    long_enough = silent_s is not None and silent_s >= ALLOWED_S and age_s > o.probes.startup_s
    return bool(o.probes.restart_hung_s) and o.condition is Condition.SILENT and long_enough


@pytest.mark.parametrize("rollouts", [*OF_THREE, *OF_TWO], ids="-".join)
def test_every_state_comes_to_rest_with_nothing_open_stopped_and_nothing_left_over(rollouts: Rollouts) -> None:
    require_rest(views(rollouts, patient), more_than={2: 1_500, 3: 45_000}[len(rollouts)])


@pytest.mark.parametrize("rollouts", OF_TWO, ids="-".join)
def test_where_what_hangs_is_to_be_restarted_too(rollouts: Rollouts) -> None:
    require_rest(views(rollouts, impatient), more_than=5_000)


def require_rest(every: Iterator[ServerView], more_than: int) -> None:
    counted, followed, wrong = 0, set[object](), []
    for view in every:
        counted += 1
        wrong += [(problem, view) for problem in follow(view, followed)]
    assert counted > more_than
    assert not wrong, f"{len(wrong)} problems in {counted} states, the first: {wrong[0]}"
