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


@contextmanager
def killed(gateway: TraefikGateway) -> Iterator[None]:
    """Kill it; while the context is open, a stranger that says yes to everything has both of its ports."""
    gateway.ensure()
    address, proxy = Address.remembered(gateway.folder / "address"), HeldProcess(gateway.folder / "proxy")
    identity = proxy.identity()
    assert address and identity
    os.kill(identity.pid, signal.SIGKILL)
    until = time.monotonic() + GONE_WITHIN_S
    while proxy.held():
        assert time.monotonic() < until, "the gateway was killed and still runs"
        time.sleep(0.01)
    with impostor(address.port, address.admin):
        yield
