"""Routes as libraries before this one wrote them, each stored when its format was new."""

from pathlib import Path

import pytest

from deployer.gateway import Backend, Route
from deployer.gateways.traefik import TraefikGateway
from deployer.gateways.traefik_files import RouteFiles
from deployer.gateways.traefik_routes import rendered

FORMATS = Path(__file__).with_name("formats")
TAGS = {"1": "02ff5dead50b", "2": "efb67e15f917"}
VERSIONS = sorted(path.name for path in FORMATS.iterdir())
SERVER = "groe-2025-93c3cfef"


@pytest.mark.parametrize("version", VERSIONS)
def test_a_route_of_an_older_library_reads_with_its_high_and_its_tag(version: str) -> None:
    served = Backend(2, "http://127.0.0.1:21503", stamps_revision=False, weight=1)
    assert RouteFiles(FORMATS / version).routes() == {SERVER: Route((served,), high=3, tag=TAGS[version])}


@pytest.mark.parametrize("version", VERSIONS)
def test_the_port_of_its_urls_is_remembered(version: str) -> None:
    assert TraefikGateway(FORMATS / version).url(SERVER) == f"http://127.0.0.1:28411/{SERVER}"


def test_the_newest_stored_route_is_what_is_written_today() -> None:
    """Who changes the format stores one of the new kind, and keeps the old."""
    text = RouteFiles(FORMATS / VERSIONS[-1]).path(SERVER).read_text()
    assert text == rendered(SERVER, text.partition("\n")[0])
