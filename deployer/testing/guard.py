"""Eyes on a platform while deployers are at work; each thing that must never be is a sentence."""

import threading
from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass, field

from deployer.gateway import Route
from deployer.records.names import platform_name
from deployer.records.record import Record
from deployer.server import ModelServer
from deployer.testing.faults import Call, Do
from deployer.testing.harness import Harness


@dataclass
class Traffic:
    """Who took requests.

    Attributes:
        served: revisions that did, by the platform name of their server.
        unrivalled: those that did before a later one was made.
    """

    served: dict[str, set[int]] = field(default_factory=lambda: defaultdict(set))
    unrivalled: dict[str, set[int]] = field(default_factory=lambda: defaultdict(set))
    _newest: dict[str, int] = field(default_factory=dict)

    def made(self, record: Record) -> None:
        """A revision was."""
        self._newest[record.server] = max(record.revision, self._newest.get(record.server, 0))

    def note(self, server: str, revisions: Collection[int]) -> None:
        """Those take requests now."""
        self.served[server].update(revisions)
        self.unrivalled[server].update(r for r in revisions if r >= self._newest.get(server, 0))


class Guard:
    """A fault that lets every call be, and looks from outside after each that may have changed something.

    Attributes:
        interrupted: names of servers that may fall silent, because somebody stops or deletes them.
        traffic: what it saw take requests.
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
        self.traffic = Traffic()
        self.seen: list[str] = []

    def around(self, call: Call, do: Do) -> object:
        """Make the call, then look."""
        try:
            done = do()
            if call.name == "engine.create":
                self.traffic.made(call.args[0].record)
            return done
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
        self.traffic.note(server, [backend.revision for backend in route.split if backend.address])
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
