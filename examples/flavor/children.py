"""The platform of the example: child processes of this Python, which end with it. Yours has an SDK instead."""

import atexit
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import RLock, Thread

import psutil


@dataclass
class Child:
    """A process that may be run again and again, and what is noted of it.

    Attributes:
        description: for good; all else may be changed.
        exit_code: of its last run, where that has ended; negative for a signal.
        began: when it was run last, or else made; `ended`: when that run ended. By `time.monotonic`.
    """

    description: bytes
    token: str
    log: Path
    port: int
    wanted: str
    cause: str = ""
    starts: int = 0
    exit_code: int = 0
    began: float = field(default_factory=time.monotonic)
    ended: float = 0
    process: "subprocess.Popen[bytes] | None" = None
    watcher: Thread | None = None

    @property
    def runs(self) -> bool:
        return self.watcher is not None and self.watcher.is_alive()

    def run(self, argv: Sequence[str], env: Mapping[str, str], descriptor: int) -> None:
        """Start it; it inherits that descriptor."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(argv, env=env, stdout=log, stderr=log, pass_fds=[descriptor])
        self.began, self.starts = time.monotonic(), self.starts + 1
        self.watcher = Thread(target=self._watch, args=[self.process], daemon=True)
        self.watcher.start()

    def end(self, grace_s: float = 0) -> None:
        """Ask it to end, and make it after so many seconds; returns once it does not run."""
        if self.process and self.watcher:
            if grace_s:
                self.process.terminate()
                self.watcher.join(grace_s)
            self.process.kill()
            self.watcher.join()

    def listens(self, port: int) -> bool:
        """Whether it runs and is itself what listens there."""
        try:
            found = psutil.Process(self.process.pid).net_connections("tcp") if self.process else []
        except psutil.Error:
            return False
        return any(c.status == psutil.CONN_LISTEN and c.laddr.port == port for c in found)

    def _watch(self, process: "subprocess.Popen[bytes]") -> None:
        self.exit_code = process.wait()
        self.ended = time.monotonic()


class Children:
    """All of one folder, by name; take the lock to change them."""

    _of_folder: dict[Path, "Children"] = {}

    def __init__(self) -> None:
        self.by_name: dict[str, Child] = {}
        self.lock = RLock()
        atexit.register(self.end)

    @classmethod
    def of(cls, folder: Path) -> "Children":
        """The same for whoever names the same folder."""
        return cls._of_folder.setdefault(folder.resolve(), cls())

    def end(self) -> None:
        """End all of them at once."""
        for child in self.by_name.values():
            child.end()
