"""A server's history, from its records and from what is seen of it now; pure."""

from deployer.records.history import entry_of, merged
from deployer.records.record import HistoryEntry, Outcome
from deployer.rollout.view import Observed, ServerView


def history_of(view: ServerView) -> tuple[HistoryEntry, ...]:
    """Up to ten revisions, oldest first, with what became of each."""
    remembered = [entry for o in view.own for entry in o.workload.record.history]
    numbers = {entry.number for entry in remembered}
    seen = [_seen(view, o) for o in view.own if o.revision not in numbers or not _was_replaced(view, o)]
    return merged(remembered, seen)


def _was_replaced(view: ServerView, observed: Observed) -> bool:
    """Whether a later one serves in its place; that one remembers whether it served at all."""
    return not observed.refused and any(backend.revision > observed.revision for backend in view.route.split)


def _seen(view: ServerView, observed: Observed) -> HistoryEntry:
    outcome, reason = _outcome(view, observed)
    return entry_of(observed.workload.record, outcome, reason)


def _outcome(view: ServerView, observed: Observed) -> tuple[Outcome, str]:
    if observed.refused:
        return Outcome.REFUSED, observed.workload.cause
    if view.serves(observed):
        return Outcome.SERVED, ""
    if _was_replaced(view, observed):
        return Outcome.SERVED, "replaced"
    if observed.revision <= view.route.high:
        return Outcome.REFUSED, "closed"
    return Outcome.PENDING, ""
