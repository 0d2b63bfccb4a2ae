"""The memory flavor for the suite."""

import time
from dataclasses import dataclass
from typing import ClassVar

from deployer.flavors.memory.deployer import MemoryModelDeployer
from deployer.flavors.memory.platform import KILLED, MemoryPlatform, Run
from deployer.flavors.memory.settings import MemorySettings
from deployer.records.names import platform_name
from deployer.server import ModelServer
from deployer.testing.hammer import Hammer, Reply
from deployer.testing.harness import ModelFolder, Trait

PAUSE_S = 0.0005


@dataclass(frozen=True)
class MemoryHarness(ModelFolder):
    """A platform in memory, named after the folder for its models."""

    traits: ClassVar[frozenset[Trait]] = frozenset({Trait.REQUESTS_TAKE_NO_TIME})
    settle_s: float = 0.05
    drain_s: float = 0.02

    def deployer(self) -> MemoryModelDeployer:
        """A new deployer over the platform."""
        return MemoryModelDeployer(MemorySettings(platform=str(self.root), model_store=self.root / "store"))

    def ask(self, server: ModelServer) -> Reply:
        """One request through the platform's gateway."""
        return Reply(*self._platform.ask(platform_name(server.name)))

    def hammer(self, server: ModelServer) -> Hammer:
        """Requests in process; the pause lets the deployer have the platform's lock."""

        def ask() -> Reply:
            time.sleep(PAUSE_S)
            return self.ask(server)

        return Hammer([ask, ask])

    def kill(self, server: ModelServer) -> None:
        """End its run."""
        self._run(server).end(KILLED)

    def hang(self, server: ModelServer) -> None:
        """Let its run answer nothing any more."""
        self._run(server).hung = True

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
