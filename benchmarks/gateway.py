"""A prediction through the gateway beside the same one asked directly, through a relay, and with a token."""

import base64
import os
import socket
import tempfile
import time
from pathlib import Path
from urllib.parse import urlsplit

from benchmarks.figure import Figure, at_most, median, spread
from benchmarks.load import BODY
from benchmarks.relay import relay
from benchmarks.served import process_deployer, tiny
from deployer.config import Access
from deployer.ports import LOOPBACK

ROUNDS = 20
REQUESTS = 300
BAR_S = 0.0002
TOKEN_BAR_S = 0.0001
TOKEN, TOKEN_IN = "benchmark-token-of-random-characters", "MODEL_DEPLOYER_BENCH_TOKEN"
SHOWN = f"Authorization: Basic {base64.b64encode(f'token:{TOKEN}'.encode()).decode()}\r\n"
END_OF_HEADERS = b"\r\n\r\n"


def figures() -> list[Figure]:
    os.environ[TOKEN_IN] = TOKEN
    with process_deployer() as deployer, tempfile.TemporaryDirectory() as folder:
        config = tiny(Path(folder), "v1")
        server = deployer.deploy_model(config, replace=True)
        (workload,) = deployer.engine.list()
        own = {"name": "guarded", "access": Access(token=f"env:{TOKEN_IN}")}
        guarded = deployer.deploy_model(config.model_copy(update=own))
        direct, relayed, through, shown = list[float](), list[float](), list[float](), list[float]()
        with relay(urlsplit(workload.address).port or 0) as port:
            for _ in range(ROUNDS):
                direct.append(_median_of(workload.address + "/"))
                relayed.append(_median_of(f"http://{LOOPBACK}:{port}/"))
                through.append(_median_of(server.prediction_url))
                shown.append(_median_of(guarded.prediction_url, SHOWN))
    checked = [b - a for a, b in zip(through, shown, strict=True)]
    beyond = [b - a for a, b in zip(direct, through, strict=True)]
    least = [b - a for a, b in zip(direct, relayed, strict=True)]
    return [
        Figure("p50 of a request, direct", spread(direct, "ms", 1000, 2), "what it is compared with", True),
        Figure("p50 through a bare relay beyond direct", spread(least, "ms", 1000, 2), "what a hop costs here", True),
        Figure(
            "p50 through the gateway beyond direct",
            spread(beyond, "ms", 1000, 2),
            f"at most {BAR_S * 1000} ms",
            median(beyond) <= BAR_S,
        ),
        at_most("p50 with a token beyond without", checked, TOKEN_BAR_S, "ms", 1000, 2),
    ]


def _median_of(url: str, shown: str = "") -> float:
    """Seconds of a request on a kept connection, sent in one piece so that only the server's side is measured."""
    parts, seconds = urlsplit(url), list[float]()
    head = f"POST {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\nContent-Length: {len(BODY)}\r\n"
    question = f"{head}{shown}Content-Type: application/json\r\n\r\n{BODY}".encode()
    with socket.create_connection((parts.hostname, parts.port), timeout=10) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for _ in range(REQUESTS):
            began = time.perf_counter()
            connection.sendall(question)
            answer = _answer(connection)
            seconds.append(time.perf_counter() - began)
            assert answer.startswith(b"HTTP/1.1 200"), answer
    return median(seconds)


def _answer(connection: socket.socket) -> bytes:
    """One answer, whole; the suite's model server ends each with a brace."""
    answer = b""
    while END_OF_HEADERS not in answer or not answer.endswith(b"}"):
        answer += connection.recv(64 * 1024)
    return answer
