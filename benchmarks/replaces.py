"""100 replaces of one server under full load."""

import tempfile
import time
from pathlib import Path

from benchmarks.figure import Figure, spread
from benchmarks.load import load
from benchmarks.served import process_deployer, tiny

REPLACES = 100
LEAST_REQUESTS = 100_000


def figures() -> list[Figure]:
    with process_deployer() as deployer, tempfile.TemporaryDirectory() as folder:
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
            f"failed in {REPLACES} replaces under full load",
            sent,
            f"0 of at least {LEAST_REQUESTS}",
            not count.failures and count.sent >= LEAST_REQUESTS,
        ),
        Figure("one replace under full load", spread(seconds, "s"), "none; settle and drain take 2 s of it", True),
    ]
