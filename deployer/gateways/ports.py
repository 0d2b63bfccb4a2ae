"""TCP ports on loopback that a gateway may take and keep."""

import random
import socket
from pathlib import Path

LOOPBACK = "127.0.0.1"
LINUX_EPHEMERAL = Path("/proc/sys/net/ipv4/ip_local_port_range")
IANA_EPHEMERAL = (49152, 65535)
LOWEST = 15000
TRIES = 200


def is_taken(port: int) -> bool:
    """Whether somebody listens on that port, or it cannot be bound."""
    with socket.socket() as caller:
        caller.settimeout(1)
        # Where an address may be reused, binding succeeds beside a listener on all interfaces; so it is called first.
        if caller.connect_ex((LOOPBACK, port)) == 0:
            return True
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((LOOPBACK, port))
        except OSError:
            return True
    return False


def free_port(*, preferred: int = 0, avoid: int = 0) -> int:
    """A port nobody listens on: the preferred one, else one the kernel gives to no outgoing connection; 0 if none is.

    Taken from the ephemeral range, a port could be lost to somebody's outgoing connection while its owner is down.
    """
    low, high = _ephemeral_range()
    lasting = range(LOWEST, low) if low > LOWEST else range(high + 1, 65536)
    choices = random.sample(lasting, min(TRIES, len(lasting)))
    wanted = [port for port in (preferred, *choices) if port not in (0, avoid)]
    return next((port for port in wanted if not is_taken(port)), 0)


def _ephemeral_range() -> tuple[int, int]:
    try:
        low, high = LINUX_EPHEMERAL.read_text().split()
        return int(low), int(high)
    except (OSError, ValueError):
        return IANA_EPHEMERAL
