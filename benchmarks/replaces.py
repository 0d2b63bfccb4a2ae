"""100 replaces of one server under full load."""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.figure import Figure, spread
from benchmarks.load import load
from benchmarks.served import process_deployer, tiny
from deployer.config import ModelServerConfig
from deployer.engine_deployer import EngineModelDeployer

REPLACES = 100
LEAST_REQUESTS = 100_000


def figures() -> list[Figure]:
    with process_deployer() as deployer:
        return of(deployer, tiny)


def of(deployer: EngineModelDeployer, tiny: Callable[[Path, str], ModelServerConfig], where: str = "") -> list[Figure]:
    """For that deployer.

    Args:
        tiny: gives a config whose model gives that answer.
    """
    with tempfile.TemporaryDirectory() as folder:
        place, seconds = Path(folder), list[float]()
        server = deployer.deploy_model(tiny(place, "v0"), replace=True)
        with load(server.prediction_url, place) as counted:
            while len(seconds) < REPLACES:
                began = time.perf_counter()
                deployer.deploy_model(tiny(place, f"v{len(seconds) + 1}"), replace=True)
                seconds.append(time.perf_counter() - began)
        count = counted[0]
    sent = f"{len(count.failures)} of {count.sent} requests ({count.slow} slow) to {len(count.answers)} revisions"
    for failure in count.failures[:5]:
        print("  failed:", failure)
    return [
        Figure(
            f"failed in {REPLACES} replaces{where} under full load",
            sent,
            f"0 of at least {LEAST_REQUESTS}",
            not count.failures and count.sent >= LEAST_REQUESTS,
        ),
        Figure(f"one replace{where} under load", spread(seconds, "s"), "none; settle and drain take 2 s of it", True),
    ]
