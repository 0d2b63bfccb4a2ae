"""Route files as the proxy, and whoever reads them meanwhile, finds them."""

import os
import threading
from pathlib import Path

import pytest

from deployer.gateway import Backend
from deployer.gateways import traefik_files
from deployer.gateways.files import locked
from deployer.gateways.traefik_files import RouteFiles
from deployer.gateways.traefik_routes import parsed

ONE, TWO = (Backend(1, "http://127.0.0.1:1"),), (Backend(2, "http://127.0.0.1:2"),)
WAITS_S = 0.3


@pytest.fixture
def files(tmp_path: Path) -> RouteFiles:
    return RouteFiles(tmp_path)


def test_nothing_but_whole_routes_ever_lies_in_the_folder_that_the_proxy_watches(
    files: RouteFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    lying, flush = set[str](), os.fsync

    def look_then_flush(descriptor: int) -> None:
        lying.update(path.name for path in files.watched.iterdir())
        flush(descriptor)

    monkeypatch.setattr(os, "fsync", look_then_flush)
    files.write("churn", TWO, 2, files.write("churn", ONE, 1, ""))
    assert lying == {"churn.yml"}


def test_who_reads_a_route_while_it_is_replaced_reads_the_old_one_whole(files: RouteFiles) -> None:
    tag = files.write("churn", ONE, 1, "")
    with files.path("churn").open() as reading:
        files.write("churn", TWO, 2, tag)
        old = parsed(reading.read())
    assert old and old.split == ONE


def test_who_writes_waits_for_whoever_is_writing(files: RouteFiles) -> None:
    tag, done = files.write("churn", ONE, 1, ""), threading.Event()

    def write() -> None:
        files.write("churn", TWO, 2, tag)
        done.set()

    writer = threading.Thread(target=write)
    with locked(files.folder / "locks" / "churn", traefik_files.LOCK_S):
        writer.start()
        assert not done.wait(WAITS_S)
    writer.join(traefik_files.LOCK_S)
    assert done.is_set() and files.routes()["churn"].split == TWO
