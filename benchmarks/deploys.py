"""What deploy_model takes beyond the same command started bare until it is ready."""

import shlex
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.figure import Figure, median, spread
from benchmarks.served import process_deployer, tiny
from deployer.config import ModelServerConfig
from deployer.engine_deployer import EngineModelDeployer
from deployer.http import NoAnswer, request
from deployer.ports import free_port
from deployer.rollout.steps import Action, Progress
from deployer.testing.models import command_line, write_model

ROUNDS = 12
BAR_S = 0.2
Tiny = Callable[[Path, str], ModelServerConfig]


def figures() -> list[Figure]:
    with process_deployer() as deployer:
        return of(deployer, tiny, _bare)


def of(deployer: EngineModelDeployer, tiny: Tiny, bare: Callable[[Path], float], where: str = "") -> list[Figure]:
    """For that deployer.

    Args:
        tiny: gives a config whose model gives that answer.
        bare: seconds of the same started without it until it is ready.
    """
    with tempfile.TemporaryDirectory() as folder:
        place, beyond, bare_s = Path(folder), list[float](), list[float]()
        deployer.deploy_model(tiny(place, "v0"), replace=True)
        for number in range(1, ROUNDS + 1):
            bare_s.append(bare(place))
            spent = _Ended()
            deployer.on_progress = spent.add
            began = time.perf_counter()
            config = tiny(place, f"v{number}")
            server = deployer.deploy_model(config, replace=True)
            whole = time.perf_counter() - began
            assert config.probes and server.revision == number + 1
            beyond.append(whole - bare_s[-1] - config.probes.settle_s - spent.seconds)
    name = f"deploy_model{where} beyond bare start until ready, settle, drain and the old one's stop"
    return [
        Figure(f"bare start{where} until ready", spread(bare_s, "ms", 1000, 0), "what it is compared with", True),
        Figure(name, spread(beyond, "ms", 1000, 0), f"at most {BAR_S * 1000:.0f} ms", median(beyond) <= BAR_S),
    ]


class _Ended:
    """Seconds spent on draining and stopping the old revision."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def add(self, progress: Progress) -> None:
        if progress.step.action is Action.RETIRE and progress.seconds:
            self.seconds += progress.seconds


def _bare(place: Path) -> float:
    port, model = free_port(), write_model(place / "bare", "bare", delay_s=0)
    line = command_line().replace("{port}", str(port)).replace("{model}", str(model))
    began = time.perf_counter()
    process = subprocess.Popen(shlex.split(line), stdout=subprocess.DEVNULL)
    try:
        while not _answers(port):
            time.sleep(0.002)
        return time.perf_counter() - began
    finally:
        process.terminate()
        process.wait(timeout=10)


def _answers(port: int) -> bool:
    try:
        return request("GET", f"http://127.0.0.1:{port}/ping", timeout_s=1).status == 200
    except NoAnswer:
        return False
