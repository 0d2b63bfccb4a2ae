"""`model-deployer init` on a new Prefect server, beside the Prefect calls that it consists of."""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from unittest.mock import patch

from benchmarks.figure import Figure, at_most, compared_with, spread
from examples.demo.prefect_server import prefect_server, wait_until_up

ROOT = Path(__file__).parents[1]
ROUNDS = 3
BAR_S = 20.0
BLOCK = "from blocks.process_model_deployer import ProcessModelDeployer as D; D().save('default')"
PREFECT = [sys.executable, "-m", "prefect", "--no-prompt"]
BY_PREFECT_ALONE = [
    [*PREFECT, "work-pool", "create", "--type", "process", "model-deployers"],
    [sys.executable, "-c", BLOCK],
    [*PREFECT, "deploy", "--prefect-file", str(ROOT / "deployments.yaml"), "--all"],
]
OURS = [[str(Path(sys.executable).parent / "model-deployer"), "init"]]


def figures() -> list[Figure]:
    rounds = [(_on_a_new_server(BY_PREFECT_ALONE), _on_a_new_server(OURS)) for _ in range(ROUNDS)]
    return [
        compared_with("a work pool, a Block and the deployments by Prefect alone", spread([p for p, _ in rounds], "s")),
        compared_with("model-deployer init", spread([ours for _, ours in rounds], "s")),
        at_most("init beyond Prefect's own calls", [ours - prefect for prefect, ours in rounds], BAR_S, "s"),
    ]


def _on_a_new_server(commands: list[list[str]]) -> float:
    """Seconds that the commands take, one after another."""
    with tempfile.TemporaryDirectory() as name, patch.dict(os.environ):
        folder = Path(name)
        (folder / "users").mkdir()
        with prefect_server(folder, prepared=False, keep=False) as api_url:
            wait_until_up(api_url, folder)
            began = time.perf_counter()
            for command in commands:
                subprocess.run(command, env=os.environ, cwd=folder / "users", check=True, capture_output=True)
            return time.perf_counter() - began
