"""Revision after revision of one server: whatever is taken for one is given back."""

import os
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from deployer.testing.process import ProcessHarness

IN_MEMORY = 300
AS_PROCESSES = int(os.environ.get("LEAK_REVISIONS", "90"))
"""The long run makes 300, which take minutes."""
ROOT = Path(__file__).parents[2]


def test_revisions_in_memory_leave_nothing_behind(tmp_path: Path) -> None:
    live("memory", tmp_path, IN_MEMORY, timeout_s=150)


@pytest.mark.timeout(60 + 5 * AS_PROCESSES)
def test_revisions_that_are_processes_leave_nothing_behind(tmp_path: Path) -> None:
    with closing(ProcessHarness(tmp_path)):  # What a life that is cut off leaves running.
        live("process", tmp_path, AS_PROCESSES, timeout_s=30 + 5 * AS_PROCESSES)


def live(platform: str, folder: Path, revisions: int, timeout_s: float) -> None:
    command = [sys.executable, "-m", "tests.leaks.life", platform, str(folder), str(revisions)]
    lived = subprocess.run(command, cwd=ROOT, timeout=timeout_s, capture_output=True, text=True, check=False)
    assert lived.returncode == 0, lived.stderr
