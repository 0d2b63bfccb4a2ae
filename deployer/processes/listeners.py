"""Who listens on a TCP port of this machine."""

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import psutil

TABLES = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))
LISTENING, HALF_OPEN = "0A", "03"


def listens(pid: int, port: int) -> bool:
    """Whether that process, or one below it, listens on the port."""
    # A machine may have many thousands of connections: they are read only where the few listeners do not tell.
    listed = any(_is_listed(table, pid, port) for table in TABLES)
    return listed or _any_below(pid, lambda process: _has_connection(process, port))


def _is_listed(table: Path, pid: int, port: int) -> bool:
    sockets = {f"socket:[{inode}]" for inode in _listening(table, port)}
    return bool(sockets) and _any_below(pid, lambda process: not sockets.isdisjoint(_descriptors(process.pid)))


def _listening(table: Path, port: int) -> Iterator[str]:
    """Linux lists what listens before all else."""
    with suppress(OSError, ValueError), table.open(encoding="ascii") as lines:
        next(lines, None)
        for line in lines:
            _, local, _, state, *_, inode = line.split()[:10]
            if state not in (LISTENING, HALF_OPEN):
                return
            if state == LISTENING and local.endswith(f":{port:04X}"):
                yield inode


def _descriptors(pid: int) -> Iterator[str]:
    with suppress(OSError), os.scandir(f"/proc/{pid}/fd") as entries:
        for entry in entries:
            with suppress(OSError):
                yield os.readlink(entry.path)


def _has_connection(process: psutil.Process, port: int) -> bool:
    for kind in ("tcp4", "tcp6"):
        with suppress(psutil.Error):
            if any(c.status == psutil.CONN_LISTEN and c.laddr.port == port for c in process.net_connections(kind)):
                return True
    return False


def _any_below(pid: int, listens: Callable[[psutil.Process], bool]) -> bool:
    try:
        process = psutil.Process(pid)
        return listens(process) or any(map(listens, process.children(recursive=True)))
    except psutil.Error:
        return False
