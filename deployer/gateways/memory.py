"""A gateway that keeps its routes in memory: for tests, and for whoever writes a flavor."""

from dataclasses import dataclass, field, replace
from itertools import count
from threading import Lock

from deployer.errors import RouteMoved
from deployer.gateway import NO_ROUTE, Route, Split, Tag
from deployer.gateways.swap import require_unmoved, serving, successor


@dataclass
class MemoryRoutes:
    """What several gateways share when they are to see the same routes."""

    by_server: dict[str, Route] = field(default_factory=dict)
    lock: Lock = field(default_factory=Lock)
    versions: "count[int]" = field(default_factory=lambda: count(1))


class MemoryGateway:
    """Routes in shared memory; a route is acknowledged as soon as it is written."""

    def __init__(self, routes: MemoryRoutes | None = None) -> None:
        self._shared = routes if routes is not None else MemoryRoutes()

    def ensure(self) -> None:
        """Nothing to start."""

    def url(self, server: str) -> str:
        """A URL of the right shape that nobody answers."""
        return f"http://memory.invalid/{server}"

    def routes(self, server: str | None = None) -> dict[str, Route]:
        """All routes, or that of one server, by server."""
        with self._shared.lock:
            return {name: route for name, route in self._shared.by_server.items() if server in (None, name)}

    def write(self, server: str, split: Split, high: int, seen: Tag) -> Tag:
        """Compare and swap; see `deployer.gateway.Gateway.write`."""
        with self._shared.lock:
            new = successor(server, self._present(server), split, high, seen)
            tag = f"t{next(self._shared.versions)}"
            self._shared.by_server[server] = replace(new, tag=tag)
            return tag

    def acknowledge(self, server: str, tag: Tag, deadline_s: float) -> None:
        """Return at once if that route stands, else raise `RouteMoved`."""
        with self._shared.lock:
            present = self._present(server)
        if present.tag != tag:
            raise RouteMoved(f"another route of {server} stands", serving=serving(present), hint="look again")

    def remove(self, server: str, seen: Tag) -> None:
        """Compare and remove; see `deployer.gateway.Gateway.remove`."""
        with self._shared.lock:
            require_unmoved(server, self._present(server), seen)
            self._shared.by_server.pop(server, None)

    def _present(self, server: str) -> Route:
        return self._shared.by_server.get(server, NO_ROUTE)
