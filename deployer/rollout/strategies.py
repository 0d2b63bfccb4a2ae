"""How traffic moves from one revision to the next; pure.

A strategy is asked only while its revision is the highest open one, is wanted running and takes no traffic.
"""

from collections.abc import Callable

from deployer.rollout.steps import Action, Step
from deployer.rollout.view import Condition, Observed, ServerView

STARTS_WITH_A_LOST_PORT = 2
SHORTEST_PAUSE_S, LONGEST_PAUSE_S = 0.005, 0.1


def replace(view: ServerView, target: Observed) -> Step:
    """Start it, wait until it is ready and has settled, then give it all the traffic."""
    match target.condition:
        case Condition.CREATED:
            return _step(Action.START, target, f"revision {target.revision} is wanted")
        case Condition.ENDED:
            return _after_its_end(view, target)
        case Condition.READY:
            return route_when_settled(target, f"revision {target.revision} is ready")
        case _:
            return _while_it_starts(view, target)


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


STRATEGIES: dict[str, Callable[[ServerView, Observed], Step]] = {"replace": replace}
