import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parent


def collect(engines: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "--collect-only", "-n", "0", f"--engines={engines}", __file__]
    return subprocess.run(command, cwd=TESTS.parent, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("engine", ["kubernetes", "proces"])
def test_an_engine_that_this_version_lacks_fails_when_it_is_required(engine: str) -> None:
    run = collect(f"process {engine}")
    assert run.returncode == pytest.ExitCode.USAGE_ERROR
    assert f"{engine}: this version has no such flavor, only memory, process, docker" in run.stderr


@pytest.mark.parametrize("engines", ["", "memory process", "process"])
def test_engines_that_can_be_reached_are_named_and_tested(engines: str) -> None:
    run = collect(engines)
    assert run.returncode == pytest.ExitCode.OK
    assert "engine process: tested" in run.stdout
