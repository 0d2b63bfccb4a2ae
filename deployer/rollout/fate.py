"""What became of a revision that somebody waits for; pure."""

from enum import StrEnum

from deployer.engine import Wanted
from deployer.rollout.plan import superseded_by
from deployer.rollout.view import Observed, ServerView

STOPPED_DURING_ROLLOUT = "the server was stopped during its rollout"


class Fate(StrEnum):
    """What became of it; `replaced`: it served, and a later one serves now."""

    UNDECIDED = "undecided"
    SERVES = "serves"
    REPLACED = "replaced"
    SUPERSEDED = "superseded"
    STOPPED = "stopped"
    REFUSED = "refused"
    DELETED = "deleted"


def fate_of(view: ServerView, revision: int, token: str, has_served: bool) -> Fate:
    """What became of the revision with that token, for somebody who may have seen it serve before."""
    mine = view.with_token(token)
    if mine is None:
        return _fate_of_gone(view, revision, has_served)
    if view.serves(mine):
        return Fate.STOPPED if view.stopped else Fate.SERVES
    if has_served:
        return Fate.REPLACED
    return _fate_of_open(view, mine) if view.is_open(mine) else _fate_of_closed(view, mine)


def _fate_of_gone(view: ServerView, revision: int, has_served: bool) -> Fate:
    if view.route.names(revision):
        return Fate.DELETED  # before the route to it was written
    if has_served:
        return Fate.REPLACED
    return Fate.SUPERSEDED if view.highest_number > revision else Fate.DELETED


def _fate_of_open(view: ServerView, mine: Observed) -> Fate:
    if _later_one_stands(view, mine.revision):
        return Fate.SUPERSEDED
    return Fate.STOPPED if mine.workload.wanted is Wanted.STOPPED else Fate.UNDECIDED


def _fate_of_closed(view: ServerView, mine: Observed) -> Fate:
    """Undecided where its number is burnt, and whoever closes it has yet to say why."""
    if mine.workload.cause == STOPPED_DURING_ROLLOUT:
        return Fate.STOPPED
    if not mine.refused:
        return Fate.SUPERSEDED if view.highest_number > mine.revision else Fate.UNDECIDED
    overtaken = _later_one_stands(view, mine.revision) or _closed_for_a_later_one(view, mine)
    return Fate.SUPERSEDED if overtaken else Fate.REFUSED


def _closed_for_a_later_one(view: ServerView, mine: Observed) -> bool:
    later = range(mine.revision + 1, view.highest_number + 1)
    return mine.workload.cause in map(superseded_by, later)


def _later_one_stands(view: ServerView, revision: int) -> bool:
    return view.target is not None and view.target.revision > revision
