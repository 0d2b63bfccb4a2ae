"""The example for the suite: how to see its platform from outside, and how to hurt it."""

import signal
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import psutil

from deployer.records.names import platform_name, workload_name
from deployer.server import ModelServer
from deployer.testing.harness import ModelFolder, Trait
from deployer.testing.over_http import HttpHarness
from examples.flavor.children import Child, Children
from examples.flavor.flavor import ChildModelDeployer, ChildSettings


@dataclass(frozen=True)
class ChildHarness(ModelFolder, HttpHarness):
    """A folder with a gateway of its own; `close` ends all that runs there."""

    traits: ClassVar[frozenset[Trait]] = frozenset()

    def deployer(self) -> ChildModelDeployer:
        """A new deployer over the same children."""
        return ChildModelDeployer(ChildSettings(folder=self._folder))

    def kill(self, server: ModelServer) -> None:
        """SIGKILL; the platform knows at once."""
        self._serving(server).end()

    def hang(self, server: ModelServer) -> None:
        """The suite's model server hangs on USR2."""
        process = self._serving(server).process
        assert process, f"{server.name} was never started"
        process.send_signal(signal.SIGUSR2)

    def leftovers(self) -> list[str]:
        """Processes, logs and half-made copies that no child has."""
        children = list(self._children.by_name.values())
        pids = {child.process.pid for child in children if child.process}
        stray = [f"{p.pid} runs" for p in psutil.Process().children() if p.pid not in pids and self._is_ours(p)]
        logs = {path for path in (self._folder / "children").glob("*")} - {child.log for child in children}
        return [*stray, *map(str, logs), *map(str, (self._folder / "models").glob(".tmp-*"))]

    def close(self) -> None:
        """End the children and the gateway."""
        self._children.end()
        self.deployer().gateway.shutdown()

    @property
    def _folder(self) -> Path:
        return self.root / "state"

    @property
    def _children(self) -> Children:
        return Children.of(self._folder / "children")

    def _serving(self, server: ModelServer) -> Child:
        return self._children.by_name[workload_name(platform_name(server.name), server.revision)]

    def _is_ours(self, process: psutil.Process) -> bool:
        try:
            return any(str(self._folder) in word for word in process.cmdline())
        except psutil.Error:
            return False
