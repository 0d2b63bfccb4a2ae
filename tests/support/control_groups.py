"""Ground for control groups: a group of the kernel's that is the test's own, or folders laid like one."""

import errno
import os
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pytest

from deployer.processes import cgroup, locks

CONTROLLER = "hugetlb"
"""The one that is seldom in use elsewhere, as in version one."""
LIMITS = {CONTROLLER: "hugetlb.2MB.max"}
MARK = "user.delegate"
ALONE_WITHIN_S = 60.0
HOW_TO_HAVE_THEM = f"root on a kernel with control groups of version two can have its own, of {CONTROLLER}"


@dataclass
class Ground:
    """One group that was delegated.

    Attributes:
        proc: what tells a deployer in which group it is.
        limit: a file of the groups below.
    """

    base: Path
    proc: Path
    limit: str = LIMITS[CONTROLLER]
    real: bool = True
    inside: Path | None = None

    def entering(self, *command: str) -> list[str]:
        """The command, run in the group; it says so first."""
        processes = (self.inside or self.base) / cgroup.PROCESSES
        return ["sh", "-c", 'printf %s $$ > "$0"; echo in; exec "$@"', str(processes), *command]

    def enter_leaf(self) -> None:
        """Let who enters be in the leaf that deployers have."""
        self.inside = self.base / cgroup.LEAF
        self.inside.mkdir()
        if not self.real:
            (self.proc / "cgroup").write_text(f"0::/mine/{cgroup.LEAF}\n")

    def be_busy(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Folders let groups below have controllers whatever runs here; the kernel does not."""
        write = Path.write_text

        def written(path: Path, text: str) -> int:
            if path == self.base / cgroup.ENABLED and (self.base / cgroup.PROCESSES).read_text():
                raise OSError(errno.EBUSY, os.strerror(errno.EBUSY))
            if path == self.base / cgroup.LEAF / cgroup.PROCESSES:
                write(self.base / cgroup.PROCESSES, "")
            return write(path, text)

        if not self.real:
            monkeypatch.setattr(Path, "write_text", written)

    def lose_files(self, group: Path) -> None:
        """The kernel's go with their group."""
        for path in [] if self.real else group.iterdir():
            path.unlink()

    def take_back(self) -> None:
        """Whoever manages the groups says no more that it is ours; it can be written to as before."""
        os.removexattr(self.base, MARK)

    @contextmanager
    def running(self) -> Iterator[int]:
        """A process in the group."""
        with subprocess.Popen(self.entering("sleep", "60"), stdout=subprocess.PIPE) as process:
            try:
                assert process.stdout and process.stdout.readline() == b"in\n"
                yield process.pid
            finally:
                process.kill()

    def group_of(self, pid: int) -> Path:
        """In which group it is."""
        if not self.real:
            there = [path for path in self.base.glob(f"*/{cgroup.PROCESSES}") if str(pid) == path.read_text()]
            return (there or [self.base / cgroup.PROCESSES])[-1].parent
        lines = Path(f"/proc/{pid}/cgroup").read_text().splitlines()
        (path,) = (line.removeprefix("0::") for line in lines if line.startswith("0::"))
        return _mount() / path.lstrip("/")


@contextmanager
def laid(tmp_path: Path) -> Iterator[Ground]:
    """Folders."""
    base = tmp_path / "mine"
    base.mkdir()
    (base / cgroup.CONTROLLERS).write_text(f"cpu {CONTROLLER} memory\n")
    for name in (cgroup.PROCESSES, cgroup.ENABLED):
        (base / name).write_text("")
    proc = tmp_path / "proc"
    proc.mkdir()
    (proc / "cgroup").write_text("1:cpu:/\n0::/mine\n")
    (proc / "mountinfo").write_text(mountinfo(tmp_path))
    os.setxattr(base, MARK, b"1")
    yield Ground(base, proc, real=False)


@contextmanager
def of_the_kernel(_: Path) -> Iterator[Ground]:
    """A group below the top, with a controller; one test at a time, as what the top allows is put back."""
    with open(Path(tempfile.gettempdir()) / "tests-control-groups", "w", encoding="ascii") as lock:
        assert locks.exclusive(lock.fileno(), ALONE_WITHIN_S)
        with _below(_mount()) as ground:
            yield ground


@contextmanager
def _below(top: Path) -> Iterator[Ground]:
    enabled = (top / cgroup.ENABLED).read_text().split()
    (top / cgroup.ENABLED).write_text(f"+{CONTROLLER}")
    base = top / f"test-{uuid4().hex[:8]}"
    base.mkdir()
    try:
        os.setxattr(base, MARK, b"1")
        yield Ground(base, cgroup.PROC)
    finally:
        for path in [*(below for below in base.iterdir() if below.is_dir()), base]:
            path.rmdir()
        if CONTROLLER not in enabled:
            (top / cgroup.ENABLED).write_text(f"-{CONTROLLER}")


def mountinfo(mount: Path) -> str:
    """What /proc says of a group's file system that is mounted there."""
    return f"24 1 0:22 / /proc rw - proc proc rw\n29 23 0:26 / {mount} rw,nosuid shared:4 - cgroup2 cgroup2 rw\n"


def _mount() -> Path:
    mount = cgroup._mount(cgroup.PROC)
    assert mount
    return mount


def _can_be_had() -> bool:
    """Only root may make groups at the top."""
    try:
        return os.access(_mount() / cgroup.ENABLED, os.W_OK) and CONTROLLER in (
            (_mount() / cgroup.CONTROLLERS).read_text()
        )
    except (AssertionError, OSError):
        return False


GROUNDS: dict[str, Callable[[Path], AbstractContextManager[Ground]]] = {"folders": laid, "kernel": of_the_kernel}
ON_EACH = ["folders", pytest.param("kernel", marks=pytest.mark.skipif(not _can_be_had(), reason=HOW_TO_HAVE_THEM))]
MOST_REAL = "kernel" if _can_be_had() else "folders"
