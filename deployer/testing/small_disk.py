"""A small disk in memory, for what happens when a disk is full; only root can have one, on Linux."""

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

SIZE, FILES = "8m", 1000
CHUNK = bytes(64 * 1024)


@dataclass(frozen=True)
class SmallDisk:
    """All below its folder is on it, until it is unmounted."""

    folder: Path

    def mount(self) -> None:
        """Put it over the folder, which is made if need be.

        Raises:
            OSError: there is no such disk to be had here.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        _run("mount", "-t", "tmpfs", "-o", f"size={SIZE},nr_inodes={FILES}", "tmpfs", str(self.folder))

    def unmount(self) -> None:
        """It goes with all that is on it, for good once nothing uses it any more."""
        _run("umount", "--lazy", str(self.folder))

    @contextmanager
    def full(self) -> Iterator[None]:
        """Not a byte more can be written to it while the context is open; files can be made, and stay empty."""
        with self._ballast() as ballast:
            with (ballast / "bytes").open("wb", buffering=0) as file, suppress(OSError):
                while True:
                    file.write(CHUNK)
            yield

    @contextmanager
    def full_of_files(self) -> Iterator[None]:
        """No file more can be made on it while the context is open."""
        with self._ballast() as ballast:
            with suppress(OSError):
                for number in range(FILES):
                    (ballast / str(number)).touch()
            yield

    @contextmanager
    def _ballast(self) -> Iterator[Path]:
        ballast = self.folder / "ballast"
        ballast.mkdir()
        try:
            yield ballast
        finally:
            shutil.rmtree(ballast)


def can_be_had() -> bool:
    """Whether this process may mount one: try it."""
    if sys.platform != "linux":
        return False
    with tempfile.TemporaryDirectory() as folder:
        disk = SmallDisk(Path(folder))
        try:
            disk.mount()
        except OSError:
            return False
        disk.unmount()
        return True


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise OSError(done.stderr.strip())
