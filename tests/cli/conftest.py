"""The command on a platform of the test's own, which goes with the test."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from deployer.ports import free_port
from deployer.testing.models import write_model
from tests.support.command_line import InOneProcess, InProcesses
from tests.support.installed import installed_wheel


@pytest.fixture
def cli(tmp_path: Path) -> InOneProcess:
    return InOneProcess(str(tmp_path), tmp_path)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return write_model(tmp_path / "model", "v1", delay_s=0)


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    return write_model(tmp_path / "broken", "v2", mode="exit", delay_s=0)


@pytest.fixture
def program(tmp_path: Path) -> Iterator[InProcesses]:
    with _ended(InProcesses(tmp_path / "state", free_port())) as program:
        yield program


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InProcesses]:
    """One server, churn, for tests that only look; they share it through an xdist_group."""
    folder = tmp_path_factory.mktemp("serving")
    with _ended(InProcesses(folder / "state", free_port())) as program:
        model = write_model(folder / ("a model of a long name " + "x" * 90), "v1")
        deployed = program("deploy", "churn", model, *program.quick)
        assert deployed.exit_code == 0, deployed.stderr
        yield program


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return installed_wheel(tmp_path_factory.mktemp("wheel"))


@contextmanager
def _ended(program: InProcesses) -> Iterator[InProcesses]:
    try:
        yield program
        for server in program("list", "--json").json["servers"]:
            program("delete", server["uuid"], "--force")
    finally:
        _end_all_of(program.state_dir)


def _end_all_of(state_dir: Path) -> None:
    """What still runs and names the test's own folder on its command line."""
    ours = [p for p in psutil.process_iter(["cmdline"]) if any(str(state_dir) in w for w in p.info["cmdline"] or ())]
    for process in ours:
        os.kill(process.pid, signal.SIGKILL)
    psutil.wait_procs(ours, timeout=10)
