"""The process flavor for the suite."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar
from urllib.parse import urlsplit

import psutil

from deployer.engine import Phase, Workload
from deployer.flavors.process.deployer import ProcessModelDeployer
from deployer.flavors.process.settings import ProcessSettings
from deployer.gateways.traefik_settings import Address
from deployer.ports import free_port
from deployer.processes.held import HeldProcess
from deployer.server import ModelServer
from deployer.testing import model_server, stranger
from deployer.testing.harness import ModelFolder, Trait
from deployer.testing.impostor import impostor
from deployer.testing.over_http import HttpHarness
from deployer.testing.stranger import Stranger

GONE_WITHIN_S = 10.0


@dataclass(frozen=True)
class ProcessHarness(ModelFolder, HttpHarness):
    """A state directory of its own, with a Traefik of its own; `close` ends all that runs there.

    Attributes:
        gateway_port: one that no other test's gateway would choose while this one is down.
    """

    traits: ClassVar[frozenset[Trait]] = frozenset() if stranger.can_be_had() else frozenset({Trait.NO_CHOSEN_PIDS})
    gateway_port: int = field(default_factory=free_port)

    @property
    def state_dir(self) -> Path:
        return self.root / "state"

    def deployer(self) -> ProcessModelDeployer:
        """A new deployer over the state directory."""
        return ProcessModelDeployer(ProcessSettings(state_dir=self.state_dir, gateway_port=self.gateway_port))

    def kill(self, server: ModelServer) -> None:
        """SIGKILL for its process; returns once the platform says that it does not run."""
        os.kill(self._pid(server), signal.SIGKILL)
        _await(lambda: self._serving(server).phase is not Phase.RUNNING, f"{server.name} was killed and still runs")

    def hang(self, server: ModelServer) -> None:
        """The suite's model server hangs on USR2."""
        os.kill(self._pid(server), signal.SIGUSR2)

    @contextmanager
    def recycle_pid(self, server: ModelServer) -> Iterator[Stranger]:
        """Kill its process; the workload's folder goes on naming the pid, which a stranger gets."""
        pid = self._pid(server)
        self.kill(server)
        with stranger.stranger(pid) as theirs:
            yield theirs

    @contextmanager
    def gateway_down(self) -> Iterator[None]:
        """Kill its proxy, and let a stranger that says yes to everything have both of its ports."""
        self.deployer().gateway.ensure()
        folder = self.state_dir / "gateway"
        address, proxy = Address.remembered(folder / "address"), HeldProcess(folder / "proxy")
        identity = proxy.identity()
        assert address and identity
        os.kill(identity.pid, signal.SIGKILL)
        _await(lambda: not proxy.held(), "the gateway was killed and still runs")
        with impostor(address.port, address.admin):
            yield

    def leftovers(self) -> list[str]:
        """Servers that no workload has, and folders and files that nobody needs any more."""
        deployer = self.deployer()
        workloads = deployer.engine.list()
        known = {str(workload.ref) for workload in workloads}
        ports = {_port(workload) for workload in workloads if workload.phase is Phase.RUNNING}
        processes = [f"{p.pid}: {argv}" for p, argv in self._servers() if _port_of(argv) not in ports]
        folders = [str(path) for path in (self.state_dir / "workloads").glob("*") if path.name not in known]
        return processes + folders + [str(path) for path in (self.state_dir / "models").glob(".tmp-*")]

    def close(self) -> None:
        """End every server and the gateway; nothing of them runs any more.

        Raises:
            AssertionError: something still does.
        """
        deployer = self.deployer()
        try:
            for server in deployer.find_model_server():
                deployer.delete_model_server(server.uuid, force=True)
        finally:
            deployer.gateway.shutdown()
            left = [argv for _, argv in self._processes()]
            assert not left, f"still runs: {left}"

    def _serving(self, server: ModelServer) -> Workload:
        found = self.deployer().engine.list()
        return next(w for w in found if (w.record.uuid, w.revision) == (server.uuid, server.revision))

    def _pid(self, server: ModelServer) -> int:
        port = _port(self._serving(server))
        return next(process.pid for process, argv in self._servers() if _port_of(argv) == port)

    def _servers(self) -> Iterator[tuple[psutil.Process, list[str]]]:
        """The suite's model servers that have a model of this state directory."""
        return ((p, argv) for p, argv in self._processes() if model_server.__file__ in argv and "--port" in argv)

    def _processes(self) -> Iterator[tuple[psutil.Process, list[str]]]:
        """Whatever runs and names this state directory."""
        for process in psutil.process_iter(["cmdline", "status"]):
            argv = process.info["cmdline"] or []
            if process.info["status"] != psutil.STATUS_ZOMBIE and any(str(self.state_dir) in part for part in argv):
                yield process, argv


def _await(condition: Callable[[], bool], otherwise: str) -> None:
    until = time.monotonic() + GONE_WITHIN_S
    while not condition():
        assert time.monotonic() < until, otherwise
        time.sleep(0.01)


def _port(workload: Workload) -> int:
    return urlsplit(workload.address).port or 0


def _port_of(argv: list[str]) -> int:
    return int(argv[argv.index("--port") + 1])
