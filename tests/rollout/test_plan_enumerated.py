"""Every state of three revisions, followed by the plan to its end in a world where every step succeeds."""

import itertools
from collections.abc import Iterator

from deployer.engine import Wanted
from deployer.rollout.plan import plan
from deployer.rollout.steps import Action, Step
from deployer.rollout.view import Condition, Observed, ServerView
from tests.support.worlds import IdealWorld, observed, routed_to

REVISIONS = (1, 2, 3)
CONDITIONS = (
    Condition.CREATED,
    Condition.UNREACHED,
    Condition.READY,
    Condition.SILENT,
    Condition.ENDED,
)
ENDING_ACTIONS = (Action.STOP, Action.RETIRE, Action.DELETE)


def workloads() -> Iterator[tuple[Observed, ...]]:
    choices = [None, *itertools.product(CONDITIONS, Wanted)]
    for combination in itertools.product(choices, repeat=len(REVISIONS)):
        pairs = zip(REVISIONS, combination, strict=True)
        yield tuple(observed(revision, *choice) for revision, choice in pairs if choice)


def views() -> Iterator[ServerView]:
    """All of them but those that the protocol never makes: a route to what is not there, or was refused."""
    for standing in workloads():
        servable = [o.revision for o in standing if not o.refused]
        for split in (None, *servable):
            for high in range(split or 0, REVISIONS[-1] + 1):
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
        before = world.view
        world.carry_out(steps[0])
        wrong += gap(before, world.view, steps[0])
        wrong += burnt_beside(before, world.view, steps[0])
    return [*wrong, "it goes round in circles"] if key in way else wrong


def essence(view: ServerView) -> object:
    return view.route, tuple((o.revision, o.condition, o.workload.wanted) for o in view.workloads)


def unsafe(view: ServerView, step: object) -> list[str]:
    if getattr(step, "action", None) not in ENDING_ACTIONS:
        return []
    o = next(o for o in view.workloads if o.ref == step.ref)  # type: ignore[attr-defined]
    if view.is_open(o) and not view.stopped:
        return [f"{step} ends an open revision"]
    return [f"{step} takes a backend from the route"] if view.route.address_of(o.revision) else []


def gap(before: ServerView, after: ServerView, step: object) -> list[str]:
    """A server that served and is not stopped serves after every step."""
    if before.stopped or not _serves(before) or _serves(after):
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
    return wrong


def test_every_state_comes_to_rest_with_nothing_open_stopped_and_nothing_left_over() -> None:
    counted, followed, wrong = 0, set[object](), []
    for view in views():
        counted += 1
        wrong += [(problem, view) for problem in follow(view, followed)]
    assert counted > 45_000
    assert not wrong, f"{len(wrong)} problems in {counted} states, the first: {wrong[0]}"
