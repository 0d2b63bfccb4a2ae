"""What the system lacks for a moment, as descriptors or memory, says nothing of the gateway's folder."""

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from deployer.errors import GatewayDown
from deployer.gateways import traefik_certificate
from deployer.gateways.files import storage
from deployer.gateways.traefik import TraefikGateway
from deployer.gateways.traefik_settings import Address
from deployer.processes.passing import PASSING

CALLS: dict[str, tuple[Callable[[TraefikGateway], object], str]] = {
    "ensure, of its address": (lambda gateway: gateway.ensure(), "/address"),
    "ensure, of its proxy": (lambda gateway: gateway.ensure(), "/proxy/lock"),
    "url": (lambda gateway: gateway.url("churn"), "/address"),
    "routes": (lambda gateway: gateway.routes("churn"), "/churn.yml"),
    "write": (lambda gateway: gateway.write("churn", (), 1, ""), "/churn.yml"),
    "acknowledge, of its route": (lambda gateway: gateway.acknowledge("churn", "none", 0), "/churn.yml"),
    "acknowledge, of its proxy": (
        lambda gateway: gateway.acknowledge("churn", gateway.routes()["churn"].tag, 0),
        "/proxy/lock",
    ),
    "shutdown": (lambda gateway: gateway.shutdown(0), "/proxy/lock"),
}


@pytest.mark.parametrize("number", sorted(PASSING))
def test_what_is_refused_just_now_may_be_tried_again(number: int) -> None:
    with pytest.raises(GatewayDown, match="could not write the route"), storage("write the route"):
        raise OSError(number, os.strerror(number))


@pytest.mark.parametrize("call", CALLS)
def test_whatever_is_asked_of_a_gateway_just_then_may_be_asked_again(
    make_gateway: Callable[..., TraefikGateway], call: str
) -> None:
    gateway = make_gateway()
    gateway.write("churn", (), 1, "")
    provide_certificate(gateway)
    (gateway.folder / "address").write_text('{"port": 21503, "admin": 21504}')
    (gateway.folder / "proxy").mkdir()
    (gateway.folder / "proxy" / "lock").touch()
    ask, ending = CALLS[call]
    with failing(ending), pytest.raises(GatewayDown, match="Too many open files"):
        ask(gateway)
    assert Address.remembered(gateway.folder / "address") == Address(21503, 21504)


def provide_certificate(gateway: TraefikGateway) -> None:
    """As if the proxy had been started there before."""
    (gateway.folder / "routes" / traefik_certificate.FILE_NAME).touch()


@contextmanager
def failing(ending: str) -> Iterator[None]:
    """No descriptor is left for a path that ends so."""
    whole = os.open

    def opened(path: Any, *args: Any, **named: Any) -> int:
        if os.fspath(path).endswith(ending):
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE), path)
        return whole(path, *args, **named)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "open", opened)
        yield
