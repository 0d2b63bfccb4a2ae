"""The command on a platform of the test's own, which goes with the test."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from deployer.gateways.ports import free_port
from deployer.testing.models import write_model
from support.command_line import InOneProcess, InProcesses


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
    state_dir = tmp_path / "state"
    program = InProcesses(state_dir, free_port())
    yield program
    for server in program("list", "--json").json["servers"]:
        program("delete", server["uuid"], "--force")
    _end_all_of(state_dir)


def _end_all_of(state_dir: Path) -> None:
    """What still runs and names the test's own folder on its command line."""
    ours = [p for p in psutil.process_iter(["cmdline"]) if any(str(state_dir) in w for w in p.info["cmdline"] or ())]
    for process in ours:
        os.kill(process.pid, signal.SIGKILL)
    psutil.wait_procs(ours, timeout=10)
