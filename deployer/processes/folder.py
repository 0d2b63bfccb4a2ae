"""What the folder of a process tells: whether it runs, since when, and how it ended."""

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from deployer.engine import Ending
from deployer.processes import files, locks
from deployer.processes.ending import UNSEEN, in_words
from deployer.processes.identity import Identity, boot_id, uptime_s
from deployer.processes.instructions import Room
from deployer.processes.log import LogReader


class ProcessFolder:
    """The folder of one process; held by a lock as long as the process runs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.absolute()
        self._prefix = f"{self.folder}{os.sep}"

    def prepare(self) -> None:
        """Make the folder, wanted running, where it is not there yet."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not os.path.exists(self._at(files.WANTED)):
            self.mark(files.RUNNING)
        os.close(os.open(self._at(files.LOCK), os.O_RDWR | os.O_CREAT, 0o600))

    def mark(self, state: str, cause: str = "", still: Callable[[], bool] = files.always) -> None:
        """Write down whether it shall run; only `running` lets it start.

        Args:
            still: asked last, when another folder of the same name could no longer get the mark.
        """
        files.write(self.folder / files.WANTED, {"state": state, "cause": cause}, still)

    @contextlib.contextmanager
    def resting(self) -> Iterator[bool]:
        """Whether nothing runs. If so, nothing starts while the context is open: keep it short."""
        try:
            lock = os.open(self._at(files.LOCK), os.O_RDONLY)
        except (FileNotFoundError, NotADirectoryError):
            yield True
            return
        try:
            yield locks.shared(lock)
        finally:
            os.close(lock)

    @contextlib.contextmanager
    def claimed(self) -> Iterator[bool]:
        """Whether it is there and does not run; if so, nobody else does anything to it while the context is open."""
        try:
            lock = os.open(self._at(files.LOCK), os.O_RDONLY)
        except (FileNotFoundError, NotADirectoryError):
            yield False
            return
        try:
            yield locks.exclusive(lock)
        finally:
            os.close(lock)

    def held(self) -> bool:
        """Whether it runs: the lock says so, whatever the pid."""
        with self.resting() as resting:
            return not resting

    def identity(self) -> Identity | None:
        """Of the server started last; it is alive only if the lock is held and the identity `lives`."""
        try:
            return Identity(**files.read(self._at(files.PID)))
        except TypeError:
            return None

    def port(self) -> int | None:
        """The port it was last started with, or is to be started with."""
        port = files.read(self._at(files.ADDRESS)).get("port")
        return port if isinstance(port, int) else None

    def starts(self) -> int:
        """How often it was started since that was last forgotten; a start of the machine forgets it too."""
        try:
            return files.content(self._at(files.STARTS)).count(f"{boot_id()} ".encode())
        except (FileNotFoundError, NotADirectoryError):
            return 0

    def forget_starts(self) -> None:
        """Begin the count anew."""
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            os.unlink(self._at(files.STARTS))

    def age_if(self, resting: bool) -> float | None:
        """Seconds since it was started, by the machine's uptime, within `resting`; None where it never was.

        Where its process is not known yet, or a child has outlived it, it began when its lock was taken.
        """
        identity = self.identity()
        if not resting and not (identity and (identity.lives or identity.is_elsewhere)):
            return self._seconds_since_written(files.LOCK)
        if identity is None:
            return None
        return identity.age_s if identity.age_s is not None else self._seconds_since_written(files.PID)

    def ending(self) -> Ending | None:
        """How its last run ended; None while it runs and where it never did."""
        with self.resting() as resting:
            return self.ending_if(resting)

    def ending_if(self, resting: bool) -> Ending | None:
        """The same within `resting`."""
        if not resting:
            return None
        if ended := files.read(self._at(files.ENDED)):
            same_boot = ended["boot"] == boot_id()
            ago_s = uptime_s() - ended["at"] if same_boot else self._seconds_since_written(files.ENDED)
            exit_code, memory = ended["exit_code"], str(ended.get("memory", ""))
            message = in_words(exit_code, memory)
            return Ending(exit_code=exit_code, message=message, ago_s=max(0.0, ago_s), out_of_memory=bool(memory))
        if (age_s := self.age_if(True)) is not None or self.starts():
            return Ending(exit_code=None, message=UNSEEN, ago_s=age_s or 0.0)
        return None

    def room(self) -> Room:
        """What it may use of the machine as long as it runs."""
        told = files.read(self._at(files.ROOM))
        return Room(**{name: value for name, value in told.items() if name in Room._fields})

    def silent_s(self) -> float | None:
        """Seconds since its present run was noted as silent; None where it was not."""
        noted = files.read(self._at(files.SILENT))
        return max(0.0, uptime_s() - noted["at"]) if noted.get("boot") == boot_id() else None

    def note_silence(self, silent: bool, still: Callable[[], bool] = files.always) -> None:
        """Note that it is silent from now on, unless that is noted already; or that it is not. A start forgets it.

        Args:
            still: asked last, when another folder of the same name could no longer get the note.
        """
        if not silent:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self._at(files.SILENT))
        elif self.silent_s() is None:
            files.write(self.folder / files.SILENT, {"boot": boot_id(), "at": uptime_s()}, still)

    def log(self) -> LogReader:
        """Reads what it writes."""
        return LogReader(self.folder / files.LOG)

    def _at(self, name: str) -> str:
        return self._prefix + name

    def _seconds_since_written(self, name: str) -> float:
        try:
            return max(0.0, time.time() - os.stat(self._at(name)).st_mtime)
        except FileNotFoundError:
            return 0.0
