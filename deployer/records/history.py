"""What is remembered of a server's revisions; pure."""

from collections.abc import Sequence

from deployer.errors import NothingToRollBackTo
from deployer.records.record import HISTORY_LENGTH, HistoryEntry, Outcome, Record


def entry_of(record: Record, outcome: Outcome, reason: str) -> HistoryEntry:
    """How a revision's successors shall remember it."""
    # What a record says has been checked.
    return HistoryEntry.model_construct(
        number=record.revision,
        origin=record.origin,
        config=record.config,
        digest=record.digest,
        created_at=record.created_at,
        cause=record.cause,
        outcome=outcome,
        reason=reason,
        environment=record.environment,
        image=record.image,
    )


def merged(remembered: Sequence[HistoryEntry], seen: Sequence[HistoryEntry]) -> tuple[HistoryEntry, ...]:
    """The newest ten by number, oldest first; what is seen outranks what is remembered."""
    by_number = {entry.number: entry for entry in (*remembered, *seen)}
    return tuple(by_number[number] for number in sorted(by_number)[-HISTORY_LENGTH:])


def rollback_target(
    history: Sequence[HistoryEntry], present_origin: int, server: str, revision: int | None
) -> HistoryEntry:
    """The revision to serve again.

    Without a number, the newest that served and is older than what serves now was made from: twice in a
    row goes back two, never to and fro.

    Raises:
        NothingToRollBackTo: there is none, or not that one.
    """
    known = ", ".join(str(entry.number) for entry in history) or "none"
    if revision is not None:
        if chosen := next((entry for entry in history if entry.number == revision), None):
            return chosen
        raise NothingToRollBackTo(
            f"{server} remembers no revision {revision}.", hint=f"It remembers these: {known}. Choose one of them."
        )
    earlier = [e for e in history if e.outcome is Outcome.SERVED and e.number < present_origin]
    if not earlier:
        raise NothingToRollBackTo(
            f"{server} has no earlier revision that served.",
            hint=f"It remembers these revisions: {known}. Name one of them, or deploy another model.",
        )
    return earlier[-1]
