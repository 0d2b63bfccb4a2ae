"""What a deployer and its platform take of the machine, counted."""

import functools
import gc
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import psutil

LOCKS = Path("/proc/locks")
MORE_DIGITS, MORE_MEMORY, MORE_OBJECTS = 4 << 10, 8 << 20, 20
"""By how many bytes what is written and what is resident may grow, and by how many objects; nothing else may at all."""


def footprint(state: Path) -> Counter[str]:
    """Of this process, and of whatever runs and names that folder, or stands in it."""
    _empty_caches()
    own, files = psutil.Process(), [path for path in state.rglob("*") if path.is_file()]
    counted = Counter(
        {
            "own memory": own.memory_info().rss,
            "own objects": len(gc.get_objects()),
            "own descriptors": own.num_fds(),
            "own threads": own.num_threads(),
            "own children": len(own.children()),
            "folders": sum(path.is_dir() for path in state.rglob("*")),
            "files": len(files),
            "bytes on disk": sum(path.stat().st_size for path in files),
            "locks": _locks_on(files),
        }
    )
    for process, kind in _processes_that_name(state):
        counted[f"processes: {kind}"] += 1
        counted[f"descriptors of {kind}"] += process.num_fds()
        counted[f"memory of {kind}"] += process.memory_info().rss
        counted["ports"] += sum(c.status == psutil.CONN_LISTEN for c in process.net_connections("tcp"))
    return counted


def growth(before: Counter[str], after: Counter[str]) -> dict[str, int]:
    """What has grown by more than it may, and by how much."""
    return {what: more for what, more in (after - before).items() if more > _allowance(what)}


def _allowance(what: str) -> int:
    if "memory" in what:
        return MORE_MEMORY
    return {"bytes on disk": MORE_DIGITS, "own objects": MORE_OBJECTS}.get(what, 0)


def _empty_caches() -> None:
    """They are bounded, and would hide what is not."""
    for cached in [known for known in gc.get_objects() if isinstance(known, functools._lru_cache_wrapper)]:
        cached.cache_clear()
    psutil.process_iter.cache_clear()  # It holds every process of the machine.
    gc.collect()


def _processes_that_name(state: Path) -> Iterator[tuple[psutil.Process, str]]:
    for process in psutil.process_iter(["cmdline", "name"]):
        words = process.info["cmdline"] or []
        if any(str(state) in word for word in words):
            yield process, "starters" if "deployer.processes.starter" in words else process.info["name"]


def _locks_on(files: list[Path]) -> int:
    if not LOCKS.exists():
        return 0
    inodes = {f"{path.stat().st_ino}" for path in files}
    return sum(line.split()[-3].rpartition(":")[2] in inodes for line in LOCKS.read_text().splitlines())
