"""A proxy that is dead or hangs, and strangers on its ports."""

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from deployer.errors import GatewayDown, PortTaken
from deployer.gateway import Backend
from deployer.gateways import traefik_process
from deployer.gateways.traefik import TraefikGateway
from deployer.gateways.traefik_settings import Address
from deployer.http import request
from deployer.testing import proxy
from deployer.testing.impostor import impostor
from tests.gateways.test_traefik_process import proxy_of, status_of

Serve = Callable[..., Backend]
AWAKE_WITHIN_S = 30.0


def address_of(gateway: TraefikGateway, tmp_path: Path) -> Address:
    address = Address.remembered(tmp_path / "gateway-0" / "address")
    assert address and f":{address.port}/" in gateway.url("churn")
    return address


def test_a_stranger_on_the_port_of_its_urls_is_named_and_the_urls_stay(
    gateway: TraefikGateway, tmp_path: Path, serve: Serve
) -> None:
    gateway.write("churn", (serve(1),), 1, "")
    url, address = gateway.url("churn"), address_of(gateway, tmp_path)
    proxy.kill(gateway)
    with impostor(address.port, address.admin), pytest.raises(PortTaken) as taken:
        gateway.ensure()
    assert str(address.port) in taken.value.what and f"process {os.getpid()} (" in taken.value.what
    assert "workloads keep running" in taken.value.serving and "gateway port" in taken.value.hint
    gateway.ensure()
    assert gateway.url("churn") == url and status_of(url) == 200


def test_a_stranger_on_its_admin_port_alone_costs_it_nothing(
    gateway: TraefikGateway, tmp_path: Path, serve: Serve
) -> None:
    url, address = gateway.url("churn"), address_of(gateway, tmp_path)
    proxy.kill(gateway)
    with impostor(address.admin):
        gateway.ensure()
        gateway.acknowledge("churn", gateway.write("churn", (serve(1),), 1, ""), 10)
    assert gateway.url("churn") == url and status_of(url) == 200


def test_no_stranger_acknowledges_a_route(gateway: TraefikGateway, tmp_path: Path, serve: Serve) -> None:
    address = address_of(gateway, tmp_path)
    proxy.kill(gateway)
    with impostor(address.port, address.admin):
        tag = gateway.write("churn", (serve(1),), 1, "")
        began = time.monotonic()
        with pytest.raises(GatewayDown, match=r"makes no sense.*it does not run") as down:
            gateway.acknowledge("churn", tag, 60)
    assert time.monotonic() - began < 30, "it waited for what cannot come"
    assert "reconcile" in down.value.hint
    gateway.ensure()
    gateway.acknowledge("churn", tag, 10)


def test_a_proxy_that_is_brought_back_meanwhile_acknowledges(gateway: TraefikGateway, serve: Serve) -> None:
    proxy.kill(gateway)
    tag = gateway.write("churn", (serve(1),), 1, "")
    rescue = threading.Timer(0.2, gateway.ensure)
    rescue.start()
    gateway.acknowledge("churn", tag, 30)
    rescue.join()
    assert request("GET", gateway.url("churn"), timeout_s=5).ok


def test_a_hung_proxy_is_named_and_left_alone(gateway: TraefikGateway, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as impatient, proxy.hung(gateway) as pid:
        impatient.setattr(traefik_process, "HUNG_S", 0.5)
        with pytest.raises(GatewayDown, match=f"process {pid}"):
            gateway.ensure()
    _ensure_once_it_is_awake(gateway)
    assert proxy_of(gateway).pid == pid


def test_a_hung_proxy_acknowledges_what_was_written_meanwhile_once_it_wakes(
    gateway: TraefikGateway, serve: Serve
) -> None:
    with proxy.hung(gateway):
        tag = gateway.write("churn", (serve(1),), 1, "")
        with pytest.raises(GatewayDown, match=r"churn\.yml within 1"):
            gateway.acknowledge("churn", tag, 1)
    gateway.acknowledge("churn", tag, AWAKE_WITHIN_S)
    assert status_of(gateway.url("churn")) == 200


def _ensure_once_it_is_awake(gateway: TraefikGateway) -> None:
    until = time.monotonic() + AWAKE_WITHIN_S
    while True:
        try:
            return gateway.ensure()
        except GatewayDown:
            assert time.monotonic() < until
