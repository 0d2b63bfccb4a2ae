"""The whole conformance suite on real processes, by the command that a person would give."""

import os
import re
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.figure import Figure

TESTS = Path(__file__).parents[1] / "tests" / "conformance" / "test_process.py"
BAR_S = 300.0


def figures() -> list[Figure]:
    began = time.perf_counter()
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(TESTS)]
    done = subprocess.run(command, cwd=TESTS.parents[2], capture_output=True, text=True, check=False)
    seconds = time.perf_counter() - began
    if done.returncode:
        print(done.stdout)
    told = re.sub(r" in [0-9.]+s.*", "", done.stdout.strip().rpartition("\n")[2]).strip("= ")
    return [
        Figure(
            f"the conformance suite on process, on {os.cpu_count()} cores",
            f"{seconds:.0f} s: {told}",
            f"at most {BAR_S:.0f} s, all passed",
            seconds <= BAR_S and done.returncode == 0,
        )
    ]
