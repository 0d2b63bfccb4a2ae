"""A prediction through the gateway beside the same one asked directly."""

import http.client
import tempfile
import time
from pathlib import Path
from urllib.parse import urlsplit

from benchmarks.figure import Figure, median, spread
from benchmarks.load import BODY
from benchmarks.served import process_deployer, tiny

ROUNDS = 20
REQUESTS = 300
BAR_S = 0.0002


def figures() -> list[Figure]:
    with process_deployer() as deployer, tempfile.TemporaryDirectory() as folder:
        server = deployer.deploy_model(tiny(Path(folder), "v1"), replace=True)
        (workload,) = deployer.engine.list()
        direct, through = list[float](), list[float]()
        for _ in range(ROUNDS):
            direct.append(_median_of(workload.address + "/"))
            through.append(_median_of(server.prediction_url))
    beyond = [b - a for a, b in zip(direct, through, strict=True)]
    return [
        Figure("p50 of a request, direct", spread(direct, "ms", 1000, 2), "what it is compared with", True),
        Figure(
            "p50 through the gateway beyond direct",
            spread(beyond, "ms", 1000, 2),
            f"at most {BAR_S * 1000} ms",
            median(beyond) <= BAR_S,
        ),
    ]


def _median_of(url: str) -> float:
    parts, seconds = urlsplit(url), list[float]()
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=10)
    for _ in range(REQUESTS):
        began = time.perf_counter()
        connection.request("POST", parts.path, BODY)
        answer = connection.getresponse()
        answer.read()
        seconds.append(time.perf_counter() - began)
        assert answer.status == 200
    connection.close()
    return median(seconds)
