"""A real Prefect server, one for all tests of a pytest worker: mark them `xdist_group("prefect")`."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import pytest

from deployer import http
from deployer.flavors.process.deployer import ProcessModelDeployer
from deployer.flavors.process.settings import ProcessSettings
from deployer.ports import free_port
from tests.prefect_server.ended import running
from tests.prefect_server.waiting import wait_for

UP_WITHIN_S = 90
FLUSHED_WITHIN_S = 10


@dataclass(frozen=True)
class PrefectServer:
    """Where it answers, and the environment of what talks to it."""

    api_url: str
    env: dict[str, str]
    home: Path


@pytest.fixture(scope="session")
def prefect_server(tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config) -> Iterator[PrefectServer]:
    """A server with an empty database; this process talks to it too."""
    with running_server(pytestconfig, tmp_path_factory.mktemp("prefect")) as server, _this_process_talks_to(server):
        yield server


@pytest.fixture
def process_deployer(tmp_path: Path) -> Iterator[ProcessModelDeployer]:
    """A process deployer of the test's own; its servers and its gateway end with the test."""
    with until_closed(ProcessSettings(state_dir=tmp_path / "state", gateway_port=free_port())) as deployer:
        yield deployer


@contextmanager
def running_server(config: pytest.Config, home: Path) -> Iterator[PrefectServer]:
    """A server with an empty database, ended when the block is left."""
    shutil.copy(_migrated_database(config, home), home / "prefect.db")
    port = free_port()
    server = PrefectServer(f"http://127.0.0.1:{port}/api", _environment(home, port), home)
    started_with = {
        "PREFECT_SERVER_DATABASE_MIGRATE_ON_START": "false",
        "PREFECT_API_BLOCKS_REGISTER_ON_START": "false",
    }
    command = ["prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port), "--no-ui"]
    with running(command, server.env | started_with, home / "server.log") as program:
        wait_for(lambda: program.poll() is not None or _answers(server), "the Prefect server answers", UP_WITHIN_S)
        assert program.poll() is None, (home / "server.log").read_text()
        yield server


@contextmanager
def until_closed(settings: ProcessSettings) -> Iterator[ProcessModelDeployer]:
    """A process deployer; what it runs is ended afterwards."""
    deployer = ProcessModelDeployer(settings)
    try:
        yield deployer
    finally:
        for server in deployer.find_model_server():
            deployer.delete_model_server(server.uuid, force=True)
        deployer.gateway.shutdown(grace_s=2)


def _environment(home: Path, port: int) -> dict[str, str]:
    return os.environ | {"PREFECT_HOME": str(home), "PREFECT_API_URL": f"http://127.0.0.1:{port}/api"}


def _migrated_database(config: pytest.Config, home: Path) -> Path:
    """Migrating takes longer than all else, so its outcome is kept in pytest's cache, for each version of Prefect."""
    assert config.cache
    kept = config.cache.mkdir("prefect-database") / f"{version('prefect')}.db"
    if not kept.exists():
        command = [sys.executable, "-m", "prefect", "server", "database", "upgrade", "--yes"]
        env = os.environ | {"PREFECT_HOME": str(home)}
        subprocess.run(command, env=env, check=True, capture_output=True, timeout=120)
        (home / "prefect.db").rename(kept)
    return kept


def _answers(server: PrefectServer) -> bool:
    try:
        return http.request("GET", f"{server.api_url}/health", timeout_s=2).ok
    except http.NoAnswer:
        return False


@contextmanager
def _this_process_talks_to(server: PrefectServer) -> Iterator[None]:
    """In all of its threads, some of which outlive the tests."""
    from prefect.context import refresh_global_settings_context
    from prefect.events.worker import EventsWorker

    with pytest.MonkeyPatch.context() as patch:
        for name in ("PREFECT_HOME", "PREFECT_API_URL"):
            patch.setenv(name, server.env[name])
        refresh_global_settings_context()
        yield
        EventsWorker.drain_all(timeout=FLUSHED_WITHIN_S)
    refresh_global_settings_context()
