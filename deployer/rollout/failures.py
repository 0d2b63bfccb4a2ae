"""Errors of a rollout: what happened, what still serves, what to do next."""

from collections.abc import Callable

from deployer.errors import EngineError, RevisionRefused, RolloutTimeout, ServerStopped, Superseded
from deployer.rollout.view import Condition, Observed, ServerView

LogTail = Callable[[Observed], str]


def still_serving(view: ServerView, failed: Observed | None = None) -> str:
    """One sentence on what serves now.

    Args:
        failed: the revision whose rollout is over, as it was at its end.
    """
    if view.stopped and (answering := [o for o in view.serving if o.runs and view.route.address_of(o.revision)]):
        return f"Revision {answering[-1].revision} still answers and is about to stop."
    if view.stopped or not view.serving:
        return "Nothing serves behind its URL now."
    if view.target and view.makes_room:
        return f"Nothing serves until revision {view.target.revision} does: its rollout, recreate, causes an outage."
    if failed and failed.runs_alone:
        return _after_an_outage(view, failed)
    serving = view.serving[-1]
    if view.reaches(serving):
        return f"Revision {serving.revision} serves on as before."
    return f"The route still names revision {serving.revision}."


def _after_an_outage(view: ServerView, failed: Observed) -> str:
    """What made room is brought back; it may not have begun to."""
    serving, outage = view.serving[-1], "the outage that the rollout recreate caused"
    if not view.reaches(serving):
        return f"Nothing serves yet: reconcile brings revision {serving.revision} back after {outage}."
    if failed.condition is Condition.CREATED:
        return f"Revision {serving.revision} serves."
    return f"Revision {serving.revision} serves again, after {outage}."


def refused(view: ServerView, name: str, mine: Observed, log_tail: LogTail) -> RevisionRefused:
    """The revision never became ready, or did not stay so; the view is that of the server afterwards."""
    tail = log_tail(mine)
    return RevisionRefused(
        f"Revision {mine.revision} of {name} was refused: {mine.why_closed}.",
        serving=still_serving(view, mine),
        hint=_hint(mine, tail),
        status=mine.condition,
        exit_code=mine.workload.ending.exit_code if mine.workload.ending else None,
        log_tail=tail,
    )


def timed_out(
    view: ServerView, name: str, mine: Observed, log_tail: LogTail, *, seconds: float, closed: bool
) -> RolloutTimeout:
    """The caller's time ran out first."""
    tail = log_tail(mine)
    unrouted = mine.ready and view.serves(mine)
    reached = "did not serve" if unrouted else "was not ready"
    stage = "it is ready, and its URL is yet to lead to it" if unrouted else _in_words(mine)
    end = "It was closed and will not serve." if closed else "It was not closed, and may serve yet."
    said = f" ({mine.answer})" if mine.answer else ""
    return RolloutTimeout(
        f"Revision {mine.revision} of {name} {reached} within {seconds:g} s: {stage}{said}. {end}",
        serving=still_serving(view, mine if closed else None),
        hint="Allow more time (timeout), or look in the log for what it waits for.",
        status=mine.condition,
        exit_code=mine.workload.ending.exit_code if mine.workload.ending else None,
        log_tail=tail,
    )


def not_serving(view: ServerView, name: str, mine: Observed, log_tail: LogTail) -> RevisionRefused:
    """What the route names was to come back, and has not."""
    return RevisionRefused(
        f"{name} was started and does not serve: {mine.answer or mine.condition}.",
        serving=still_serving(view),
        hint="Look into its log, mend what it says, then start it again or deploy a better model.",
        status=mine.condition,
        exit_code=mine.workload.ending.exit_code if mine.workload.ending else None,
        log_tail=log_tail(mine),
    )


def superseded(view: ServerView, name: str, revision: int) -> Superseded:
    """A later deploy won."""
    later = max((o.revision for o in view.workloads if o.revision > revision), default=view.highest_number)
    return Superseded(
        f"Revision {revision} of {name} was overtaken by revision {later} before its deployer saw it serve.",
        serving=still_serving(view),
        hint="Nothing is to be done, unless this one should serve: then deploy it again.",
    )


def stopped(view: ServerView, name: str, revision: int) -> ServerStopped:
    """Somebody stopped the server meanwhile."""
    return ServerStopped(
        f"{name} was stopped while revision {revision} was rolled out.",
        serving=still_serving(view),
        hint="Start the server, or deploy again.",
    )


def deleted(name: str, revision: int) -> Superseded:
    """Somebody deleted the server meanwhile."""
    return Superseded(
        f"{name} was deleted while revision {revision} was rolled out.",
        serving="Nothing serves at its URL.",
        hint="Deploy again to make a new server.",
    )


def unreadable(name: str) -> EngineError:
    """Somebody else's library serves there, or nobody knows what: nothing is done to it."""
    return EngineError(
        f"What the URL of {name} leads to cannot be read, so it was not touched.",
        serving="It is left as it is.",
        hint="A deployer's `unreadable()` names it: use the library that made it, or remove it by hand.",
    )


def _in_words(mine: Observed) -> str:
    return {
        Condition.CREATED: "it has not been started",
        Condition.UNREACHED: "it runs and does not listen yet",
        Condition.SILENT: "it runs and does not answer",
        Condition.SICK: "it runs and its health check says no",
        Condition.READY: "it is ready and has yet to settle",
    }.get(mine.condition, f"it is {mine.condition}")


def _hint(mine: Observed, log_tail: str) -> str:
    if "ModuleNotFoundError" in log_tail or "No module named" in log_tail:
        return "The model needs a package that is not installed where it is served: install it, then deploy again."
    if mine.workload.ending and mine.workload.ending.out_of_memory:
        return "Raise resources.memory in its config, or serve a smaller model; then deploy again."
    if mine.workload.port_lost:
        return "Something else listens on its port: deploy again."
    return "Mend the model or its config and deploy again; its whole log is kept until a later revision serves."
