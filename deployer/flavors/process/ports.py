"""Ports for workloads: nobody is given one of them by chance."""

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


def free_ports(count: int, taken: Container[int | None]) -> list[int]:
    """Up to so many random ports that can be bound now, outside the range that the system hands out itself."""
    return list(islice(_free(taken), count))


def can_be_bound(port: int) -> bool:
    """Whether nobody listens on it on loopback."""
    with socket.socket() as candidate:
        candidate.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            candidate.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def ephemeral() -> range:
    """The ports that the system hands out for outgoing connections."""
    try:
        first, last = map(int, RANGE_FILE.read_text().split())
    except (OSError, ValueError):
        return USUAL_EPHEMERAL
    return range(first, last + 1)


def _free(taken: Container[int | None]) -> Iterator[int]:
    handed_out = ephemeral()
    ours = [port for port in range(LOWEST, HIGHEST + 1) if port not in handed_out] or range(LOWEST, HIGHEST + 1)
    return (port for port in random.sample(ours, min(TRIES, len(ours))) if port not in taken and can_be_bound(port))
