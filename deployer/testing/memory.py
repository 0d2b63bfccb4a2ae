"""The memory flavor for the suite."""

import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass, field
from functools import cached_property
from itertools import starmap
from pathlib import Path
from threading import Event
from typing import ClassVar

from deployer.engine import Launch, Ref
from deployer.errors import GatewayDown
from deployer.flavors.memory.deployer import MemoryModelDeployer
from deployer.flavors.memory.engine import MemoryEngine
from deployer.flavors.memory.platform import KILLED, MemoryPlatform, Run, Stored
from deployer.flavors.memory.settings import MemorySettings
from deployer.gateway import Backend, Route, Split, Tag
from deployer.gateways.memory import MemoryGateway, MemoryRoutes
from deployer.records.names import platform_name, workload_name
from deployer.server import ModelServer
from deployer.testing.hammer import Hammer, Reply
from deployer.testing.harness import ModelFolder, Trait
from deployer.testing.strangers import NEWER, Strangers, newer_record

PAUSE_S = 0.0005


class HammeredEngine(MemoryEngine):
    """Lets a request fall right behind each stop; by chance none ever would, in memory.

    Args:
        hammers: that are told.
    """

    def __init__(self, platform: MemoryPlatform, model_path: Callable[[str], Path], hammers: Sequence[Hammer]) -> None:
        super().__init__(platform, model_path)
        self._hammers = hammers

    def stop(self, ref: Ref, grace_s: float) -> None:
        super().stop(ref, grace_s)
        for hammer in self._hammers:
            hammer.ask_now()


class BreakableGateway(MemoryGateway):
    """While it is down its routes can be read, and that is all.

    Args:
        down: set while it is.
    """

    def __init__(self, routes: MemoryRoutes, down: Event) -> None:
        super().__init__(routes)
        self._down = down

    def ensure(self) -> None:
        self._require_up()

    def write(self, server: str, split: Split, high: int, seen: Tag) -> Tag:
        self._require_up()
        return super().write(server, split, high, seen)

    def acknowledge(self, server: str, tag: Tag, deadline_s: float) -> None:
        self._require_up()
        super().acknowledge(server, tag, deadline_s)

    def remove(self, server: str, seen: Tag) -> None:
        self._require_up()
        super().remove(server, seen)

    def _require_up(self) -> None:
        if self._down.is_set():
            raise GatewayDown("the gateway in memory is down", hint="a test says so")


class HammeredDeployer(MemoryModelDeployer):
    """A memory deployer whose servers are hammered, and whose gateway may be down."""

    def __init__(self, settings: MemorySettings, hammers: Sequence[Hammer], down: Event) -> None:
        super().__init__(settings)
        self._hammers = hammers
        self._down = down

    @cached_property
    def engine(self) -> HammeredEngine:
        return HammeredEngine(self.platform, self.store.path, self._hammers)

    @cached_property
    def gateway(self) -> BreakableGateway:
        return BreakableGateway(self.platform.routes, self._down)


@dataclass(frozen=True)
class MemoryHarness(ModelFolder):
    """A platform in memory, named after the folder for its models."""

    traits: ClassVar[frozenset[Trait]] = frozenset(
        {Trait.REQUESTS_TAKE_NO_TIME, Trait.NO_PIDS, Trait.NO_PORTS, Trait.ONE_PROCESS, Trait.NO_DISK}
    )
    settle_s: float = 0.05
    drain_s: float = 0.02
    _hammers: list[Hammer] = field(default_factory=list)
    _down: Event = field(default_factory=Event)

    def deployer(self) -> MemoryModelDeployer:
        """A new deployer over the platform."""
        settings = MemorySettings(platform=str(self.root), model_store=self.root / "store")
        return HammeredDeployer(settings, self._hammers, self._down)

    def ask(self, server: ModelServer) -> Reply:
        """One request through the platform's gateway."""
        if self._down.is_set():
            return Reply(0, "the gateway is down")
        return Reply(*self._platform.ask(platform_name(server.name)))

    def hammer(self, server: ModelServer) -> Hammer:
        """Requests in process; the pause lets the deployer have the platform's lock."""

        def ask() -> Reply:
            time.sleep(PAUSE_S)
            return self.ask(server)

        self._hammers.append(hammer := Hammer([ask, ask]))
        return hammer

    def kill(self, server: ModelServer) -> None:
        """End its run."""
        self._run(server).end(KILLED)

    def hang(self, server: ModelServer) -> None:
        """Let its run answer nothing any more."""
        self._run(server).hung = True

    @contextmanager
    def gateway_down(self) -> Iterator[None]:
        """For every deployer of this harness, those of before too."""
        self._down.set()
        try:
            yield
        finally:
            self._down.clear()

    def erase_all_but_records(self) -> None:
        """Clear the routes and the folder of models."""
        self._platform.routes.by_server.clear()
        shutil.rmtree(self.root / "store")

    @contextmanager
    def strangers(self, in_the_way_of: ModelServer | None = None) -> Iterator[Strangers]:
        """Workloads whose records are nonsense, a newer library's, or another's."""
        platform, routes = self._platform, self._platform.routes.by_server
        record = self.deployer().engine.list()[0].record
        records = {("nonsense", 1): "", (NEWER, 1): newer_record(record), ("moved", 1): record.model_dump_json()}
        if in_the_way_of:
            records[platform_name(in_the_way_of.name), in_the_way_of.revision + 1] = ""
        theirs = {key: Stored(text, Launch(argv=(), readiness_path=""), "", key[0]) for key, text in records.items()}
        platform.workloads |= theirs
        routes[NEWER] = Route((Backend(1, "memory://newer-r1"),), 1, "theirs")

        def look() -> dict[str, object]:
            workloads = {workload_name(*key): copy(platform.workloads.get(key)) for key in theirs}
            return {**workloads, "the route": routes.get(NEWER)}

        try:
            yield Strangers(set(starmap(workload_name, theirs)), look)
        finally:
            for key in theirs:
                platform.workloads.pop(key, None)
            routes.pop(NEWER, None)

    def leftovers(self) -> list[str]:
        """Broken-off copies of models."""
        return [str(path) for path in (self.root / "store").glob(".tmp-*")]

    @property
    def _platform(self) -> MemoryPlatform:
        return MemoryPlatform.named(str(self.root))

    def _run(self, server: ModelServer) -> Run:
        run = self._platform.workloads[platform_name(server.name), server.revision].run
        assert run, f"{server.name} was never started"
        return run
