"""What an isolated environment that is there already adds to a deploy, beside the same in the current one."""

import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.figure import Figure, at_most, compared_with, spread
from benchmarks.served import process_deployer
from deployer.config import Command, Drain, ModelServerConfig, Probes
from deployer.engine_deployer import EngineModelDeployer
from deployer.testing import model_server
from deployer.testing.models import write_model
from tests.environments.packages import wheel

ROUNDS = 12
BAR_S = 0.1
LINE = f"{{python}} -I {model_server.__file__} --port {{port}} --model {{model}}"


def figures() -> list[Figure]:
    with process_deployer() as deployer, tempfile.TemporaryDirectory() as folder, _packages(Path(folder)):
        taken: dict[str, list[float]] = {"current": [], "isolated": []}
        for number in range(ROUNDS + 1):
            for environment, seconds in taken.items():
                seconds.append(_deployed(deployer, Path(folder), environment, number))
        first, *again = taken["isolated"]
        current = taken["current"][1:]
        added = [mine - theirs for mine, theirs in zip(again, current, strict=True)]
    return [
        compared_with("deploy of a new revision, environment: current", spread(current, "ms", 1000, 0)),
        compared_with("… isolated, one small package, the first", f"{first:.1f} s"),
        at_most("… isolated, each later one, beyond current", added, BAR_S, "ms", 1000, 0),
    ]


def _deployed(deployer: EngineModelDeployer, folder: Path, environment: str, number: int) -> float:
    """Seconds of one deploy of a model that is new each time, with the same requirements."""
    model = write_model(folder / environment, f"v{number}", delay_s=0)
    (model / "requirements.txt").write_text("bench-tiny==1.0\n" if environment == "isolated" else "pyyaml>=6\n")
    config = ModelServerConfig.model_validate(
        {
            "name": environment,
            "model_uri": str(model),
            "runtime": "command",
            "environment": environment,
            "command": Command(line=LINE),
            "probes": Probes(settle_s=0),
            "drain": Drain(drain_s=0),
        }
    )
    began = time.perf_counter()
    deployer.deploy_model(config, replace=True)
    return time.perf_counter() - began


@contextmanager
def _packages(folder: Path) -> Iterator[None]:
    """A package beside the benchmark, so that it needs no index."""
    wheel(folder / "packages", "bench_tiny", "1.0")
    before = dict(os.environ)
    os.environ.update(UV_FIND_LINKS=str(folder / "packages"), PIP_NO_INDEX="1")
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
