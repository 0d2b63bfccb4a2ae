"""A server's history, from its records and from what is seen of it now; pure."""

from deployer.records.history import entry_of, merged
from deployer.records.record import HistoryEntry, Outcome
from deployer.rollout.view import Observed, ServerView


def history_of(view: ServerView) -> tuple[HistoryEntry, ...]:
    """Up to ten revisions, oldest first, with what became of each."""
    remembered = [entry for o in view.own for entry in o.workload.record.history]
    return merged(remembered, [_seen(view, o) for o in view.own])


def _seen(view: ServerView, observed: Observed) -> HistoryEntry:
    outcome, reason = _outcome(view, observed)
    return entry_of(observed.workload.record, outcome, reason)


def _outcome(view: ServerView, observed: Observed) -> tuple[Outcome, str]:
    if observed.refused:
        return Outcome.REFUSED, observed.workload.cause
    if view.serves(observed):
        return Outcome.SERVED, ""
    if observed.revision <= view.route.high:
        return Outcome.SERVED, "replaced"
    return Outcome.PENDING, ""
