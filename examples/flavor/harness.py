"""The example for the suite: how its platform is seen from outside, and hurt."""

import shutil
import signal
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import psutil

from deployer.ports import free_port
from deployer.records.names import platform_name, workload_name
from deployer.server import ModelServer
from deployer.testing import proxy
from deployer.testing.harness import ModelFolder, Trait
from deployer.testing.over_http import HttpHarness
from examples.flavor.children import Child, Children
from examples.flavor.flavor import ChildModelDeployer, ChildSettings


@dataclass(frozen=True)
class ChildHarness(ModelFolder, HttpHarness):
    """Children of a folder of its own, with a gateway of its own; `close` ends both."""

    traits: ClassVar[frozenset[Trait]] = frozenset(
        {Trait.ONE_PROCESS, Trait.NO_PIDS, Trait.NO_STRANGERS, Trait.NO_DISK, Trait.SILENCE_IS_FORGOTTEN}
    )
    gateway_port: int = field(default_factory=free_port)

    def deployer(self) -> ChildModelDeployer:
        """A new deployer over the same children."""
        return ChildModelDeployer(ChildSettings(folder=self._folder, gateway_port=self.gateway_port))

    def kill(self, server: ModelServer) -> None:
        """End it without grace."""
        self._serving(server).end()

    def hang(self, server: ModelServer) -> None:
        """The suite's model server hangs on USR2."""
        process = self._serving(server).process
        assert process, f"{server.name} was never started"
        process.send_signal(signal.SIGUSR2)

    def gateway_down(self) -> AbstractContextManager[None]:
        """Its proxy is dead, and a stranger has its ports."""
        return proxy.killed(self.deployer().gateway)

    def erase_all_but_records(self) -> None:
        """Remove the folders of the gateway and of the models."""
        for name in ("gateway", "models"):
            shutil.rmtree(self._folder / name)

    def leftovers(self) -> list[str]:
        """Processes, logs and half-made copies that no child has."""
        children = self._children.by_name.values()
        pids = {child.process.pid for child in children if child.process}
        strays = [f"{p.pid} runs" for p in psutil.Process().children() if p.pid not in pids and self._is_ours(p)]
        logs = set((self._folder / "children").glob("*")) - {child.log for child in children}
        return [*strays, *map(str, logs), *map(str, (self._folder / "models").glob(".tmp-*"))]

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
