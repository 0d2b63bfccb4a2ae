"""What a server may use of this machine: CPUs, memory, GPUs."""

import contextlib
import hashlib
import math
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from deployer.config import GPUS_SEEN, Resources
from deployer.errors import EngineUnavailable, Unsupported
from deployer.flavors.process.folder import WorkloadFolder
from deployer.flavors.process.gpus import chosen
from deployer.processes import cgroup, locks
from deployer.processes.instructions import NO_ROOM, Room

PERIOD_US, SHORTEST_US = 100_000, 1_000
GUARD, GUARDED_FOR_S = ".gpus", 30.0
Devices = Callable[[], Sequence[str]]
NO_GROUP = "this deployer runs in no control group (cgroup v2) that was delegated to it"
HINT = (
    "Run it in one: `systemd-run --user --scope -p Delegate=yes ...`, or Delegate=yes in its service's unit; "
    "or use a flavor with containers; or leave `resources.memory` empty."
)


def require_possible(resources: Resources, devices: Devices) -> None:
    """Refuse what this machine cannot give, whoever has it now.

    Raises:
        Unsupported: it cannot.
    """
    if resources.memory and cgroup.delegated(["memory"]) is None:
        raise Unsupported(f"Memory cannot be limited to {resources.memory} here: {NO_GROUP}.", hint=HINT)
    if resources.gpu and resources.gpu > (there := len(devices())):
        raise Unsupported(
            f"{resources.gpu} GPUs are asked for, and this deployer sees {there}.",
            hint=f"`nvidia-smi -L` lists them; {GPUS_SEEN} hides all others from a deployer.",
        )


@contextlib.contextmanager
def room_for(
    folder: WorkloadFolder,
    resources: Resources | None,
    registry: Callable[[], Iterable[WorkloadFolder]],
    devices: Devices,
) -> Iterator[tuple[Room, int]]:
    """What it is started with, and a descriptor; while that is open nobody else is given a GPU (-1: it needs none).

    Args:
        registry: every folder, asked for once nobody else is given anything.

    Raises:
        DevicesTaken: others have the GPUs.
        Unsupported: its memory cannot be limited here.
    """
    if resources is None:
        yield NO_ROOM, -1
        return
    with _guarded(folder.folder.parent / GUARD) if resources.gpu else contextlib.nullcontext(-1) as guard:
        others = (other for other in registry() if other.folder != folder.folder and other.held())
        rooms = {other.folder.name: other.room() for other in others}
        limited = _limited(folder, resources)
        cpus = [] if "cpu.max" in limited.limits else _cpus(resources, rooms.values())
        taken = {device: name for name, room in rooms.items() for device in room.gpus}
        before, name = folder.room().gpus, folder.folder.name
        gpus = chosen(resources.gpu, devices(), taken, before, name) if resources.gpu else []
        yield limited._replace(cpus=cpus, gpus=gpus), guard


def _limited(folder: WorkloadFolder, resources: Resources) -> Room:
    """By a control group, where there is one; memory by nothing else."""
    wanted = {"cpu": resources.cpu is not None, "memory": bool(resources.memory)}
    controllers = [name for name, is_wanted in wanted.items() if is_wanted]
    if not controllers:
        return NO_ROOM
    base = cgroup.delegated(controllers)
    if base is None and resources.memory:
        controllers, base = ["memory"], cgroup.delegated(["memory"])
        if base is None:
            what = f"{folder.folder.name} is to have {resources.memory} of memory, and {NO_GROUP}."
            raise Unsupported(what, hint=HINT)
    if base is None:
        return NO_ROOM
    cgroup.enable(base, controllers)
    limits = {**(_cpu_limit(resources) if "cpu" in controllers else {}), **_memory_limits(resources)}
    return Room(group=str(base / _group_name(folder.folder)), limits=limits, memory=resources.memory)


def _cpu_limit(resources: Resources) -> dict[str, str]:
    assert resources.cpu is not None
    return {"cpu.max": f"{max(SHORTEST_US, round(resources.cpu * PERIOD_US))} {PERIOD_US}"}


def _memory_limits(resources: Resources) -> dict[str, str]:
    if resources.memory_bytes is None:
        return {}
    return {"memory.max": str(resources.memory_bytes), "memory.swap.max": "0"}


def _group_name(folder: Path) -> str:
    """Its own, and no other state directory's."""
    return f"{folder.name}.{hashlib.sha256(os.fsencode(folder)).hexdigest()[:8]}"


def _cpus(resources: Resources, rooms: Iterable[Room]) -> list[int]:
    """As many as it may keep busy, those first that fewest others have; none named: it may use all."""
    if resources.cpu is None or not hasattr(os, "sched_getaffinity"):
        return []
    allowed = sorted(os.sched_getaffinity(0))
    taken = Counter(cpu for room in rooms for cpu in room.cpus)
    fewest = sorted(allowed, key=lambda cpu: taken[cpu])[: math.ceil(resources.cpu)]
    return sorted(fewest) if len(fewest) < len(allowed) else []


@contextlib.contextmanager
def _guarded(path: Path) -> Iterator[int]:
    """The starter goes on holding it should whoever asked be killed: a device is never given twice."""
    guard = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        if not locks.exclusive(guard, GUARDED_FOR_S):
            what = "No GPU was given: another deployer has been giving out some for a while."
            raise EngineUnavailable(what, hint="It may be suspended: wake or end it, then try again.")
        yield guard
    finally:
        os.close(guard)
