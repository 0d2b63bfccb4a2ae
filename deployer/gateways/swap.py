"""The one rule by which a route changes, whatever keeps it."""

from dataclasses import replace

from deployer.errors import RouteMoved
from deployer.gateway import Route, Split, Tag


def require_unmoved(server: str, present: Route, seen: Tag) -> None:
    """Raise `RouteMoved` unless the tag that was seen still stands."""
    if present.tag != seen:
        raise RouteMoved(
            f"the route of {server} has moved since it was observed",
            serving=serving(present),
            hint="look at the server again",
        )


def successor(server: str, present: Route, split: Split, high: int, seen: Tag) -> Route:
    """The route that shall stand next, without its tag.

    Its `high` never falls, and a revision that left the split, or never entered it below `high`, stays out.

    Raises:
        RouteMoved: the tag `seen` no longer stands, or the split names a closed revision.
    """
    require_unmoved(server, present, seen)
    closed = [b.revision for b in split if b.revision <= present.high and not present.names(b.revision)]
    if closed:
        raise RouteMoved(
            f"revision {closed[0]} of {server} is closed (up to {present.high}) and may not take traffic again",
            serving=serving(present),
            hint="deploy again, or roll back: either makes a new revision",
        )
    return replace(present, split=split, high=max(high, present.high, *(b.revision for b in split)), tag="")


def serving(route: Route) -> str:
    """Which revisions the route sends traffic to, in words."""
    revisions = [str(b.revision) for b in route.split if b.address]
    return f"revision {' and '.join(revisions)} serves" if revisions else "nothing serves"
