"""TCP ports of this machine, on loopback unless told otherwise, that can be taken and kept."""

import random
import socket
from collections.abc import Container, Iterator
from itertools import islice
from pathlib import Path

LOOPBACK = "127.0.0.1"
LOWEST, HIGHEST = 10_000, 65_535
TRIES = 1_000
RANGE_FILE = Path("/proc/sys/net/ipv4/ip_local_port_range")
USUAL_EPHEMERAL = range(49_152, 65_536)


def free_ports(count: int, taken: Container[int | None] = ()) -> list[int]:
    """Up to so many random ports that can be bound now, outside the range that the system hands out itself.

    From that range a port could be lost to somebody's outgoing connection while its owner is down.
    """
    return list(islice(_free(taken), count))


def free_port(*, preferred: int = 0, avoid: int = 0, bind: str = LOOPBACK) -> int:
    """The preferred port if nobody has it, else another free one; 0 if there is none."""
    if preferred not in (0, avoid) and not is_taken(preferred, bind):
        return preferred
    return next((port for port in _free((avoid,)) if not is_taken(port, bind)), 0)


def can_be_bound(port: int, bind: str = LOOPBACK) -> bool:
    """Whether a listener could take it; with port 0, whether the machine has that address."""
    with _socket(bind) as candidate:
        candidate.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            candidate.bind((bind, port))
        except OSError:
            return False
    return True


def is_taken(port: int, bind: str = LOOPBACK) -> bool:
    """Whether somebody answers on that port, or it cannot be bound."""
    with _socket(bind) as caller:
        caller.settimeout(1)
        # Where an address may be reused, binding succeeds beside a listener on all interfaces; so it is called first.
        # The address that stands for all of them is called as loopback.
        if caller.connect_ex((bind, port)) == 0:
            return True
    return not can_be_bound(port, bind)


def ephemeral() -> range:
    """The ports that the system hands out for outgoing connections."""
    try:
        first, last = map(int, RANGE_FILE.read_text().split())
    except (OSError, ValueError):
        return USUAL_EPHEMERAL
    return range(first, last + 1)


def _socket(bind: str) -> socket.socket:
    return socket.socket(socket.AF_INET6 if ":" in bind else socket.AF_INET)


def _free(taken: Container[int | None]) -> Iterator[int]:
    handed_out = ephemeral()
    ours = [port for port in range(LOWEST, HIGHEST + 1) if port not in handed_out] or range(LOWEST, HIGHEST + 1)
    return (port for port in random.sample(ours, min(TRIES, len(ours))) if port not in taken and can_be_bound(port))
