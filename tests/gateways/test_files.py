"""What a deployer that is killed while it writes leaves behind."""

import subprocess
import sys
from pathlib import Path

import pytest

from deployer.gateway import Backend
from deployer.gateways.traefik_files import RouteFiles

KILLED_WHILE_IT_WRITES = """
import os, pathlib, signal, sys
from deployer.gateways.traefik_files import RouteFiles
os.fsync = lambda descriptor: os.kill(os.getpid(), signal.SIGKILL)
RouteFiles(pathlib.Path(sys.argv[1])).write(sys.argv[2], (), 2, sys.argv[3])
"""


@pytest.fixture
def files(tmp_path: Path) -> RouteFiles:
    return RouteFiles(tmp_path)


def killed_while_it_writes(files: RouteFiles, server: str) -> None:
    command = [sys.executable, "-c", KILLED_WHILE_IT_WRITES, str(files.folder), server, files.tag(server)]
    assert subprocess.run(command, timeout=60, check=False).returncode == -9


def unfinished(files: RouteFiles) -> list[str]:
    return sorted(path.name.partition(".")[0] for path in (files.folder / "scratch").iterdir())


def test_half_a_route_goes_with_the_next_that_is_written(files: RouteFiles) -> None:
    first = files.write("churn", (Backend(1, "http://127.0.0.1:9001"),), 1, "")
    for server in ("churn", "churn-2"):
        killed_while_it_writes(files, server)
    assert unfinished(files) == ["routes-churn", "routes-churn-2"]
    assert files.routes()["churn"].tag == first
    files.write("churn", (Backend(2, "http://127.0.0.1:9002"),), 2, first)
    assert unfinished(files) == ["routes-churn-2"], "what another server's deployer writes is left alone"


def test_half_a_route_goes_with_its_server(files: RouteFiles) -> None:
    tag = files.write("churn", (Backend(1, "http://127.0.0.1:9001"),), 1, "")
    killed_while_it_writes(files, "churn")
    files.remove("churn", tag)
    assert unfinished(files) == [] and files.routes() == {}
