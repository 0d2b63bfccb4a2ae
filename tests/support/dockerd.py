"""A Docker engine of a test's own beside the usual one, which may be ended, killed and started again; for root."""

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import psutil

from deployer.flavors.docker.connection import Connection
from deployer.testing.docker import BASE_IMAGE, USUAL_BASE_IMAGE

UP_WITHIN_S, ENDS_WITHIN_S = 60.0, 30.0


@dataclass
class OwnEngine:
    """One engine in a folder of its own.

    Attributes:
        folder: short, as a socket's path may not be long.
        live_restore: whether containers outlive its daemon.
    """

    folder: Path
    live_restore: bool
    _daemon: "subprocess.Popen[bytes] | None" = field(default=None, repr=False)
    _containerd: "subprocess.Popen[bytes] | None" = field(default=None, repr=False)

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def bridge(self) -> str:
        """Two engines may not share one."""
        return f"test-docker{self.live_restore:d}"

    @property
    def host(self) -> str:
        return f"unix://{self.folder}/docker.sock"

    @property
    def api(self) -> Any:
        return Connection(self.host).api

    def start(self) -> None:
        """Start the daemon; returns once it answers. Its containerd is a service of its own, as packages have it."""
        if self._containerd is None:
            self._containerd = self._start_containerd()
        command = [
            *("dockerd", "--containerd", f"{self.folder}/containerd.sock"),
            *("--host", self.host, "--bridge", self.bridge),
            *("--default-address-pool", f"base=10.{232 + self.live_restore}.0.0/16,size=24"),
            *("--data-root", str(self.data), "--exec-root", f"{self.folder}/run"),
            *("--pidfile", f"{self.folder}/pid", f"--live-restore={str(self.live_restore).lower()}"),
        ]
        self._daemon = self._run(command)
        until = time.monotonic() + UP_WITHIN_S
        while not self.answers():
            assert time.monotonic() < until and self._daemon.poll() is None, (self.folder / "log").read_text()[-2000:]
            time.sleep(0.1)

    def _start_containerd(self) -> "subprocess.Popen[bytes]":
        settings = self.folder / "containerd.toml"
        settings.write_text('version = 2\ndisabled_plugins = ["io.containerd.grpc.v1.cri"]\n')
        places = ("--root", f"{self.folder}/containerd", "--state", f"{self.folder}/containerd-state")
        address = ("--address", f"{self.folder}/containerd.sock")
        return self._run(["containerd", "--config", str(settings), *places, *address])

    def _run(self, command: list[str]) -> "subprocess.Popen[bytes]":
        with (self.folder / "log").open("ab") as log:
            return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)

    def answers(self) -> bool:
        with contextlib.suppress(Exception):
            return bool(self.api.ping())
        return False

    def end(self, number: signal.Signals) -> None:
        """End the daemon by a signal; returns once it has ended."""
        assert self._daemon
        self._daemon.send_signal(number)
        self._daemon.wait(ENDS_WITHIN_S)
        Path(f"{self.folder}/pid").unlink(missing_ok=True)

    def restart(self, number: signal.Signals, away_s: float = 1.0) -> None:
        """End it, and start it again after a while in which it is away."""
        self.end(number)
        time.sleep(away_s)
        self.start()

    def load(self, base: str) -> None:
        """Give it an image of the usual engine's."""
        self.api.load_image(Connection().api.get_image(base))

    def close(self) -> None:
        """End it with all that runs on it."""
        if self.answers():
            for one in self.api.containers(all=True, quiet=True):
                self.api.remove_container(one["Id"], force=True)
            self.end(signal.SIGTERM)
        for process in self._processes():
            with contextlib.suppress(psutil.Error):
                process.kill()
        for started in filter(None, (self._daemon, self._containerd)):
            started.wait(ENDS_WITHIN_S)
        for mounted in reversed([line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]):
            if mounted.startswith(str(self.folder)):
                subprocess.run(["umount", "--lazy", mounted], check=False)

    def _processes(self) -> list[psutil.Process]:
        """Its daemon, its containerd and their shims: all that name its folder."""
        named = (p for p in psutil.process_iter(["cmdline"]) if p.pid != os.getpid())
        return [p for p in named if any(str(self.folder) in word for word in p.info["cmdline"] or [])]


@contextmanager
def own_engine(live_restore: bool, disk: str = "") -> Iterator[OwnEngine]:
    """One that has the base image of the tests, and nothing else; nothing of it is left afterwards.

    Args:
        disk: the size of the disk on which its data are, as 800m; empty: as large as this machine's.
    """
    with tempfile.TemporaryDirectory(prefix="engine-", dir="/var/tmp", ignore_cleanup_errors=True) as name:
        engine = OwnEngine(Path(name), live_restore)
        run = partial(subprocess.run, check=True, capture_output=True)
        run(["ip", "link", "add", engine.bridge, "type", "bridge"])
        try:
            if disk:
                engine.data.mkdir()
                run(["mount", "-t", "tmpfs", "-o", f"size={disk}", "engine", str(engine.data)])
            run(["ip", "address", "add", f"10.231.{live_restore:d}.1/24", "dev", engine.bridge])
            run(["ip", "link", "set", engine.bridge, "up"])
            engine.start()
            engine.load(os.environ.get(BASE_IMAGE) or USUAL_BASE_IMAGE)
            yield engine
        finally:
            try:
                engine.close()
            finally:
                run(["ip", "link", "delete", engine.bridge])


def can_be_had() -> bool:
    """Whether this process may start one."""
    return os.geteuid() == 0 and all(shutil.which(program) for program in ("dockerd", "ip"))
