"""The process flavor for the suite."""

import json
import os
import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar
from urllib.parse import urlsplit

import psutil

from deployer.engine import Phase, Workload
from deployer.flavors.process.deployer import ProcessModelDeployer
from deployer.flavors.process.settings import ProcessSettings
from deployer.gateway import Backend
from deployer.ports import free_port
from deployer.records.names import platform_name, workload_name
from deployer.records.record import Record
from deployer.server import ModelServer
from deployer.testing import model_server, proxy, small_disk, stranger
from deployer.testing.harness import ModelFolder, Trait
from deployer.testing.impostor import impostor
from deployer.testing.over_http import HttpHarness
from deployer.testing.small_disk import SmallDisk
from deployer.testing.stranger import Stranger
from deployer.testing.strangers import NEWER, Strangers, newer_record, on_disk

GONE_WITHIN_S = 10.0
HALF_MADE = (".*", "models/.*", "gateway/.*", "gateway/proxy/.*", "gateway/scratch/*")
"""What is beside what stands only while somebody is at work there."""
ASKED_OF_ROOT = ((Trait.NO_CHOSEN_PIDS, stranger.can_be_had), (Trait.NO_SMALL_DISK, small_disk.can_be_had))


@dataclass(frozen=True)
class ProcessHarness(ModelFolder, HttpHarness):
    """A state directory of its own, with a Traefik of its own; `close` ends all that runs there.

    Attributes:
        gateway_port: one that no other test's gateway would choose while this one is down.
    """

    traits: ClassVar[frozenset[Trait]] = frozenset(trait for trait, can_be_had in ASKED_OF_ROOT if not can_be_had())
    gateway_port: int = field(default_factory=free_port)
    _mounted: ExitStack = field(default_factory=ExitStack)

    @property
    def state_dir(self) -> Path:
        return self.root / "state"

    def deployer(self) -> ProcessModelDeployer:
        """A new deployer over the state directory."""
        return ProcessModelDeployer(ProcessSettings(state_dir=self.state_dir, gateway_port=self.gateway_port))

    def kill(self, server: ModelServer) -> None:
        """SIGKILL for its process; returns once the platform says that it does not run."""
        os.kill(self._pid(server), signal.SIGKILL)
        until = time.monotonic() + GONE_WITHIN_S
        while self._serving(server).phase is Phase.RUNNING:
            assert time.monotonic() < until, f"{server.name} was killed and still runs"
            time.sleep(0.01)

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

    def gateway_down(self) -> AbstractContextManager[None]:
        """Its proxy is dead, and a stranger has its ports."""
        return proxy.killed(self.deployer().gateway)

    def small_disk(self) -> SmallDisk:
        """One that holds the state directory, until all is closed."""
        disk = SmallDisk(self.state_dir)
        disk.mount()
        self._mounted.callback(disk.unmount)
        return disk

    def erase_all_but_records(self) -> None:
        """Remove the folders of the gateway, which runs on, and of the models."""
        for name in ("gateway", "models"):
            shutil.rmtree(self.state_dir / name)

    @contextmanager
    def strangers(self, in_the_way_of: ModelServer | None = None) -> Iterator[Strangers]:
        """Folders and files among those of workloads and of routes, and a listener on the port of what does not run."""
        deployer = self.deployer()
        workloads, gateway = deployer.engine.list(), deployer.gateway
        claims = self._claims(workloads[0].record, in_the_way_of)
        ports = [_port(workload) for workload in workloads if workload.phase is not Phase.RUNNING]
        tag = gateway.write(NEWER, (Backend(1, "http://127.0.0.1:1"),), 1, "")
        try:
            with on_disk(claims) as look, impostor(*ports):
                yield Strangers(set(map(str, claims)), lambda: {**look(), "the route": gateway.routes(NEWER)})
        finally:
            gateway.remove(NEWER, tag)

    def leftovers(self) -> list[str]:
        """Servers that no workload has, and folders and files that nobody needs any more."""
        deployer = self.deployer()
        workloads = deployer.engine.list()
        known = {str(workload.ref) for workload in workloads}
        ports = {_port(workload) for workload in workloads if workload.phase is Phase.RUNNING}
        processes = [f"{p.pid}: {argv}" for p, argv in self._servers() if _port_of(argv) not in ports]
        folders = [str(path) for path in (self.state_dir / "workloads").glob("*") if path.name not in known]
        return processes + folders + [str(path) for pattern in HALF_MADE for path in self.state_dir.glob(pattern)]

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
            left = list(self._processes())
            for process, _ in left:
                process.kill()
            self._mounted.close()
            assert not left, f"still runs: {[argv for _, argv in left]}"

    def _claims(self, record: Record, in_the_way_of: ModelServer | None) -> dict[Path, dict[str, str] | str]:
        """What strangers have in the folders of workloads and of routes, by its path."""
        workloads, routes = self.state_dir / "workloads", self.state_dir / "gateway" / "routes"
        claims: dict[Path, dict[str, str] | str] = {
            workloads / "nonsense-r1": {"record": "no record"},
            workloads / f"{NEWER}-r1": {"record": newer_record(record)},
            workloads / "moved-r1": {"record": record.model_dump_json()},
            workloads / "empty-r1": {},
            workloads / "file-r1": "a file",
            routes / "theirs.yml": json.dumps({"http": {"services": {"theirs": {"loadBalancer": {"servers": []}}}}}),
            routes / "theirs.txt": "a note",
        }
        if in_the_way_of:
            name = workload_name(platform_name(in_the_way_of.name), in_the_way_of.revision + 1)
            claims[workloads / name] = {}
        return claims

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


def _port(workload: Workload) -> int:
    return urlsplit(workload.address).port or 0


def _port_of(argv: list[str]) -> int:
    return int(argv[argv.index("--port") + 1])
