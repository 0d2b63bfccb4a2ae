"""https URLs: a certificate made in the test, shown by a real Traefik, checked by callers."""

import ssl
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from deployer.errors import EngineError, InvalidConfig
from deployer.gateway import Backend
from deployer.gateways.traefik import TraefikGateway
from deployer.gateways.traefik_certificate import Certificate
from deployer.http import NoAnswer, request
from deployer.ports import free_port
from tests.support.certificates import issue

Make = Callable[..., TraefikGateway]


def shown_at(url: str) -> bytes:
    port = int(url.split(":")[2].split("/", maxsplit=1)[0])
    return ssl.PEM_cert_to_DER_cert(ssl.get_server_certificate(("127.0.0.1", port)))


def der(certificate: Certificate) -> bytes:
    return ssl.PEM_cert_to_DER_cert(certificate.certificate.read_text())


def until_shown(gateway: TraefikGateway, certificate: Certificate) -> None:
    until = time.monotonic() + 5
    while shown_at(gateway.url("churn")) != der(certificate):
        assert time.monotonic() < until, "the old certificate is still shown"
        time.sleep(0.02)


@pytest.fixture
def secured(make_gateway: Make, tmp_path: Path, serve: Callable[..., Backend]) -> tuple[TraefikGateway, Certificate]:
    certificate = issue(tmp_path / "tls", "first")
    gateway = make_gateway(tmp_path / "secured", certificate=certificate)
    gateway.ensure()
    gateway.acknowledge("churn", gateway.write("churn", (serve(1),), 1, ""), 10)
    return gateway, certificate


def test_who_trusts_the_certificate_is_answered_and_who_does_not_hangs_up(
    secured: tuple[TraefikGateway, Certificate], monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway, certificate = secured
    url = gateway.url("churn")
    assert url.startswith("https://127.0.0.1:")
    with pytest.raises(NoAnswer, match="not trusted: self-signed") as caught:
        request("GET", url, timeout_s=5)
    assert caught.value.untrusted
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate.certificate))
    assert request("GET", url, timeout_s=5).status == 200


def test_a_certificate_that_is_renewed_in_place_is_shown_from_the_next_ensure_on(
    secured: tuple[TraefikGateway, Certificate], make_gateway: Make
) -> None:
    gateway, certificate = secured
    assert shown_at(gateway.url("churn")) == der(certificate)
    issue(certificate.certificate.parent, "renewed")
    make_gateway(gateway.folder).ensure()
    until_shown(gateway, certificate)


def test_one_file_may_hold_the_certificate_and_its_key(make_gateway: Make, tmp_path: Path) -> None:
    two, one = issue(tmp_path / "tls", "two"), tmp_path / "one.pem"
    one.write_text(two.certificate.read_text() + two.key.read_text())
    gateway = make_gateway(certificate=Certificate(one, one))
    gateway.ensure()
    assert shown_at(gateway.url("churn")) == der(two)


def test_no_request_fails_while_a_certificate_is_renewed(
    secured: tuple[TraefikGateway, Certificate], make_gateway: Make, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    gateway, certificate = secured
    url, over, trusted = gateway.url("churn"), threading.Event(), tmp_path / "trusted.pem"
    renewals = [issue(tmp_path / f"renewal-{n}", f"renewal {n}") for n in range(5)]
    every = [certificate, *renewals]
    trusted.write_text("".join(one.certificate.read_text() for one in every))
    monkeypatch.setenv("SSL_CERT_FILE", str(trusted))

    def call() -> Counter[int]:
        seen: Counter[int] = Counter()
        while not over.is_set():
            seen[request("GET", url, timeout_s=5).status] += 1
        return seen

    with ThreadPoolExecutor(2) as callers:
        calls = [callers.submit(call) for _ in range(2)]
        for renewal in renewals:
            for new, old in ((renewal.certificate, certificate.certificate), (renewal.key, certificate.key)):
                new.replace(old)
            make_gateway(gateway.folder).ensure()
            until_shown(gateway, certificate)
        over.set()
        seen = sum((one.result(60) for one in calls), Counter())
    assert seen.keys() == {200} and seen[200] > 10, seen


def test_a_renewal_that_cannot_be_used_is_told_and_the_old_certificate_serves_on(
    secured: tuple[TraefikGateway, Certificate], make_gateway: Make
) -> None:
    gateway, certificate = secured
    before = shown_at(gateway.url("churn"))
    certificate.key.write_text("no key")
    with pytest.raises(InvalidConfig, match="cannot be used"):
        make_gateway(gateway.folder).ensure()
    assert shown_at(gateway.url("churn")) == before


def test_a_certificate_that_cannot_be_used_begins_nothing(make_gateway: Make, tmp_path: Path) -> None:
    first, second = issue(tmp_path / "one", "one"), issue(tmp_path / "two", "two")
    for certificate in (
        Certificate(first.certificate, second.key),
        Certificate(tmp_path / "absent.pem", first.key),
        Certificate(first.key, first.key),
    ):
        gateway = make_gateway(certificate=certificate)
        with pytest.raises(InvalidConfig, match="cannot be used"):
            gateway.ensure()
        assert not gateway.folder.exists()


def test_a_gateway_that_speaks_http_is_not_turned_to_https_under_its_callers(
    gateway: TraefikGateway, make_gateway: Make, tmp_path: Path
) -> None:
    with pytest.raises(EngineError, match="serves at http://"):
        make_gateway(gateway.folder, certificate=issue(tmp_path / "tls", "late")).ensure()
    with pytest.raises(EngineError, match="serves at"):
        make_gateway(gateway.folder, port=free_port()).ensure()
