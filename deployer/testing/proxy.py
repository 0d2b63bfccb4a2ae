"""What befalls the proxy of a gateway, for every flavor that has our own Traefik."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager

from deployer.gateways.traefik import TraefikGateway
from deployer.gateways.traefik_settings import Address
from deployer.processes.held import HeldProcess
from deployer.testing.impostor import impostor

GONE_WITHIN_S = 10.0


def kill(gateway: TraefikGateway) -> None:
    """SIGKILL; returns once it does not run."""
    os.kill(_pid(gateway), signal.SIGKILL)
    until = time.monotonic() + GONE_WITHIN_S
    while _proxy(gateway).held():
        assert time.monotonic() < until, "the gateway was killed and still runs"
        time.sleep(0.01)


@contextmanager
def killed(gateway: TraefikGateway) -> Iterator[None]:
    """Kill it; while the context is open, a stranger that says yes to everything has both of its ports."""
    gateway.ensure()
    address = Address.remembered(gateway.folder / "address")
    assert address
    kill(gateway)
    with impostor(address.port, address.admin):
        yield


@contextmanager
def hung(gateway: TraefikGateway) -> Iterator[int]:
    """While the context is open it stands still, as SIGSTOP makes it; gives its pid."""
    pid = _pid(gateway)
    os.kill(pid, signal.SIGSTOP)
    try:
        yield pid
    finally:
        os.kill(pid, signal.SIGCONT)


def _proxy(gateway: TraefikGateway) -> HeldProcess:
    return HeldProcess(gateway.folder / "proxy")


def _pid(gateway: TraefikGateway) -> int:
    identity = _proxy(gateway).identity()
    assert identity, "the gateway was never started"
    return identity.pid
