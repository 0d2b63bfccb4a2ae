"""The whole conformance suite on real processes, by the command that a person would give."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.figure import Figure

ROOT = Path(__file__).parents[1]
WORKERS = (os.cpu_count() or 1) + 1
"""The tests wait about half of their time."""
BAR_S, BROKEN_OFF_S, CLEARED_UP_WITHIN_S = 300.0, 600.0, 60.0


def figures() -> list[Figure]:
    began = time.perf_counter()
    code, summary = _run(str(ROOT / "tests" / "conformance" / "test_process.py"))
    seconds = time.perf_counter() - began
    return [
        Figure(
            f"the conformance suite on process, {os.cpu_count()} cores, {WORKERS} at a time",
            f"{seconds:.0f} s: {summary}",
            f"at most {BAR_S:.0f} s, all passed",
            code == 0 and seconds <= BAR_S,
        )
    ]


def _run(tests: str) -> tuple[int, str]:
    """The exit code, and the last line that pytest says; all of it is printed where something failed."""
    with tempfile.TemporaryFile("w+") as output:
        command = [sys.executable, "-m", "pytest", "-q", "-n", str(WORKERS), tests]
        process = subprocess.Popen(command, cwd=ROOT, stdout=output, stderr=subprocess.STDOUT)
        try:
            code = process.wait(BROKEN_OFF_S)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGINT)
            code = process.wait(CLEARED_UP_WITHIN_S)
        output.seek(0)
        said = output.read().strip()
    if code:
        print(said)
    return code, said.rpartition("\n")[2].strip("= ")
