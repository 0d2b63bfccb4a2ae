"""Eyes on a platform while deployers are at work; each thing that must never be is a sentence."""

import threading
from collections import defaultdict
from collections.abc import Collection

from deployer.gateway import Route
from deployer.records.names import platform_name
from deployer.server import ModelServer
from deployer.testing.faults import Call, Do
from deployer.testing.harness import Harness


class Guard:
    """A fault that lets every call be, and looks from outside after each that may have changed something.

    Attributes:
        interrupted: names of servers that may fall silent, because somebody stops or deletes them.
        seen: what it saw that must not be.
    """

    def __init__(self, harness: Harness) -> None:
        self._harness = harness
        self._eyes = harness.deployer()
        self.interrupted: Collection[str] = ()
        self._lock = threading.Lock()
        self._answered: dict[str, str] = {}
        self._left: dict[str, set[int]] = defaultdict(set)
        self._high: dict[str, int] = {}
        self._servers: dict[str, ModelServer] = {}
        self.seen: list[str] = []

    def around(self, call: Call, do: Do) -> object:
        """Make the call, then look."""
        try:
            return do()
        finally:
            if call.changes:
                self.look(str(call))

    def look(self, after: str) -> None:
        """Note what must not be; `after` says after what."""
        with self._lock:
            self.seen += [f"after {after}: {wrong}" for wrong in self._wrong()]

    def _wrong(self) -> list[str]:
        routes = self._eyes.gateway.routes()
        for gone in [server for server in self._high if server not in routes]:
            del self._high[gone], self._left[gone]
        of_routes = [text for server, route in routes.items() for text in self._of_route(server, route)]
        return of_routes + self._silent()

    def _of_route(self, server: str, route: Route) -> list[str]:
        routed = {backend.revision for backend in route.split}
        wrong = [f"{server}: the closed revision {r} is routed again" for r in routed & self._left[server]]
        if route.high < self._high.get(server, 0):
            wrong.append(f"{server}: high fell from {self._high[server]} to {route.high}")
        if len(routed) > 1:
            wrong.append(f"{server}: the revisions {routed} take requests at once")
        self._high[server] = route.high
        self._left[server] |= set(range(1, route.high + 1)) - routed
        return wrong

    def _silent(self) -> list[str]:
        """Of those that have answered once."""
        if self._high.keys() - {platform_name(name) for name in self._servers}:
            self._servers |= {server.name: server for server in self._eyes.find_model_server()}
        return [text for server in self._servers.values() for text in self._of_answer(server)]

    def _of_answer(self, server: ModelServer) -> list[str]:
        reply, before = self._harness.ask(server), self._answered.get(server.name)
        if reply.ok:
            self._answered[server.name] = reply.answer
        silent = before is not None and not reply.ok and server.name not in self.interrupted
        return [f"{server.name} answered {before}, and now {reply}"] if silent else []
