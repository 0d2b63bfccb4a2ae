"""How traffic moves from one revision to the next; pure.

A strategy is asked only while its revision is the highest open one, is wanted running and takes no traffic.
"""

from collections.abc import Callable

from deployer.rollout.steps import Action, Step
from deployer.rollout.view import Condition, Observed, ServerView

STARTS_WITH_A_LOST_PORT = 2


def replace(view: ServerView, target: Observed) -> Step:
    """Start it, wait until it is ready and has settled, then give it all the traffic."""
    match target.condition:
        case Condition.CREATED:
            return _step(Action.START, target, f"revision {target.revision} is wanted")
        case Condition.ENDED:
            return _after_its_end(target)
        case Condition.READY:
            return route_when_settled(target, f"revision {target.revision} is ready")
        case _:
            return _while_it_starts(target)


def route_when_settled(observed: Observed, cause: str) -> Step:
    """Give it all the traffic, once it has stayed ready for its settle time."""
    if observed.ready_s < observed.probes.settle_s:
        return _step(Action.WAIT, observed, f"{cause}; it must stay so for {observed.probes.settle_s:g} s")
    return Step(action=Action.ROUTE, ref=observed.ref, cause=cause, backend=observed.backend)


def _after_its_end(target: Observed) -> Step:
    workload = target.workload
    if not workload.starts:
        return _step(Action.START, target, f"revision {target.revision} is wanted again")
    if workload.port_lost and workload.starts < STARTS_WITH_A_LOST_PORT:
        return _step(Action.START, target, "its port was taken: once more, with another")
    return _step(Action.CLOSE, target, f"it ended before it was ready: {target.answer or 'how is not known'}")


def _while_it_starts(target: Observed) -> Step:
    budget = target.probes.startup_s
    if target.workload.age_s > budget:
        return _step(Action.CLOSE, target, f"it was not ready within {budget:g} s: {target.answer}")
    return _step(Action.WAIT, target, f"revision {target.revision} is starting")


def _step(action: Action, observed: Observed, cause: str) -> Step:
    return Step(action=action, ref=observed.ref, cause=cause)


STRATEGIES: dict[str, Callable[[ServerView, Observed], Step]] = {"replace": replace}
