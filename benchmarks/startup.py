"""How long a person waits for an import, a help text and a list."""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.figure import Figure, median, spread
from benchmarks.served import process_deployer, tiny

RUNS = 11
COMMAND = str(Path(sys.executable).with_name("model-deployer"))


def figures() -> list[Figure]:
    with process_deployer() as deployer, tempfile.TemporaryDirectory() as folder:
        deployer.deploy_model(tiny(Path(folder), "v1"), replace=True)
        here = os.environ | {"MODEL_DEPLOYER_STATE_DIR": str(deployer.state_dir)}
        bare = _whole([sys.executable, "-c", "pass"], here)
        return [
            Figure("python -c pass", spread(bare, "s", digits=2), "what it is compared with", True),
            timed("import deployer", [sys.executable, "-c", "import deployer"], here, 0.15),
            timed("model-deployer --help", [COMMAND, "--help"], here, 0.3),
            timed("model-deployer list, one server", [COMMAND, "list"], here, 1.0),
        ]


def timed(name: str, command: list[str], env: dict[str, str], bar_s: float) -> Figure:
    """A command's seconds as a whole process."""
    seconds = _whole(command, env)
    return Figure(name, spread(seconds, "s", digits=2), f"at most {bar_s} s", median(seconds) <= bar_s)


def _whole(command: list[str], env: dict[str, str]) -> list[float]:
    """Whole processes, after one that fills the caches."""
    return [_once(command, env) for _ in range(RUNS + 1)][1:]


def _once(command: list[str], env: dict[str, str]) -> float:
    began = time.perf_counter()
    subprocess.run(command, env=env, check=True, capture_output=True, timeout=60)
    return time.perf_counter() - began
