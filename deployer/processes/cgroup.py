"""Control groups (cgroup v2): which one was delegated to us, and one of its own below it for each server.

Only the standard library is used: a starter needs this too.
"""

import contextlib
import errno
import os
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import NamedTuple

PROC = Path("/proc/self")
LEAF = "model-deployer"
PROCESSES, CONTROLLERS, ENABLED = "cgroup.procs", "cgroup.controllers", "cgroup.subtree_control"
DELEGATED = ("user.delegate", "trusted.delegate")
MAY_BE_ABSENT = "memory.swap.max"
TRIES = 5


class Group(NamedTuple):
    """One group, made for one server.

    Attributes:
        oom_kills: how many of its processes the system had killed for memory when it was made, by an earlier run.
    """

    path: Path
    oom_kills: int = 0

    @classmethod
    def made(cls, path: Path, limits: Mapping[str, str]) -> "Group":
        """One with these limits, by file; another run may have left it."""
        remove(path)
        path.mkdir(exist_ok=True)
        for name, limit in limits.items():
            if name != MAY_BE_ABSENT or (path / name).exists():
                (path / name).write_text(limit)
        return cls(path, _oom_kills(path))

    def join(self, pid: int) -> None:
        """Let that process and all that it will ever start be in it."""
        (self.path / PROCESSES).write_text(str(pid))

    @property
    def ran_out_of_memory(self) -> bool:
        """Whether the system killed anything of this run for the memory that it wanted."""
        return _oom_kills(self.path) > self.oom_kills


def remove(path: Path) -> None:
    """Remove a group, unless something is still in it, or there is none."""
    with contextlib.suppress(OSError):
        path.rmdir()


def delegated(controllers: Collection[str], proc: Path = PROC) -> Path | None:
    """The group below which groups with these controllers may be made; None where there is none.

    Args:
        proc: what tells of this process.
    """
    try:
        own = _own(proc)
        base = own.parent if own and own.name == LEAF else own
        if base is None or not set(controllers) <= set((base / CONTROLLERS).read_text().split()):
            return None
        return base if _is_ours(base, _mount(proc)) else None
    except OSError:
        return None


def enable(base: Path, controllers: Collection[str]) -> None:
    """Let the groups below have these controllers: nothing may then run in `base` itself, so that goes to a leaf.

    Raises:
        OSError: it cannot be.
    """
    for left in reversed(range(TRIES)):  # Whatever runs there may start something meanwhile.
        wanted = set(controllers) - set((base / ENABLED).read_text().split())
        try:
            if wanted:
                (base / ENABLED).write_text(" ".join(f"+{name}" for name in sorted(wanted)))
            return
        except OSError as error:
            if error.errno != errno.EBUSY or not left:
                raise
        _move_to_leaf(base)


def _move_to_leaf(base: Path) -> None:
    (base / LEAF).mkdir(exist_ok=True)
    for pid in (base / PROCESSES).read_text().split():
        with contextlib.suppress(ProcessLookupError):
            (base / LEAF / PROCESSES).write_text(pid)


def _own(proc: Path) -> Path | None:
    """Where this process's group is to be found."""
    mount = _mount(proc)
    lines = (proc / "cgroup").read_text().splitlines()
    path = next((line.removeprefix("0::") for line in lines if line.startswith("0::")), "")
    return mount / path.lstrip("/") if mount and path and "/.." not in path else None


def _mount(proc: Path) -> Path | None:
    for line in (proc / "mountinfo").read_text().splitlines():
        before, _, after = line.partition(" - ")
        if after.split(" ", 1)[0] == "cgroup2" and before.split()[3] == "/":
            return Path(before.split()[4])
    return None


def _is_ours(base: Path, top: Path | None) -> bool:
    """Whether it was left to us by whoever manages the machine's groups, who must have told so.

    To be able to write there says little: root may write to all, and a user to all of a session of theirs, where their
    shell and their editor run.
    """
    if not all(os.access(base / name, os.W_OK) for name in ("", PROCESSES, ENABLED)):
        return False
    return base == top or any(_attribute(base, name) == b"1" for name in DELEGATED)


def _attribute(path: Path, name: str) -> bytes:
    try:
        return os.getxattr(path, name)
    except (OSError, AttributeError):
        return b""


def _oom_kills(path: Path) -> int:
    try:
        events = dict(line.split() for line in (path / "memory.events").read_text().splitlines())
        return int(events.get("oom_kill", "0"))
    except (OSError, ValueError):
        return 0
