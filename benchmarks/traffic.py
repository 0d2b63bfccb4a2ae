"""One look at what passes through each of many servers, as `list --watch` takes it every two seconds."""

import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

from benchmarks.figure import Figure, at_most, compared_with, spread
from deployer.gateway import Backend
from deployer.gateways.traefik import TraefikGateway
from deployer.http import request
from deployer.ports import LOOPBACK, free_port

SERVERS, LOOKS = 1000, 9
BAR_S = 0.25


def figures() -> list[Figure]:
    with tempfile.TemporaryDirectory(prefix="model-deployer-bench-") as folder, _backend() as address:
        gateway = TraefikGateway(Path(folder), default_port=free_port())
        try:
            return _measured(gateway, address)
        finally:
            gateway.shutdown(5)


def _measured(gateway: TraefikGateway, address: str) -> list[Figure]:
    servers = [f"server-{number}" for number in range(SERVERS)]
    tags = {server: gateway.write(server, (Backend(1, address),), 1, "") for server in servers}
    gateway.ensure()
    for server, tag in tags.items():
        gateway.acknowledge(server, tag, 60)
    with ThreadPoolExecutor(8) as callers:
        list(callers.map(lambda server: request("GET", gateway.url(server), timeout_s=30), servers))
    assert len(gateway.traffic()) == SERVERS
    looks, fetched = list[float](), list[float]()
    for _ in range(LOOKS):
        fetched.append(_seconds_of(gateway.metrics))
        looks.append(_seconds_of(gateway.traffic))
    size = len(gateway.metrics()) / 1e6
    return [
        compared_with(
            f"the proxy's metrics of {SERVERS} servers, {size:.1f} MB, fetched", spread(fetched, "ms", 1000, 0)
        ),
        at_most(f"the traffic of {SERVERS} servers", looks, BAR_S, "ms", 1000, 0),
    ]


def _seconds_of(look: object) -> float:
    assert callable(look)
    began = time.perf_counter()
    look()
    return time.perf_counter() - began


class _Answers(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def _backend() -> Iterator[str]:
    with ThreadingHTTPServer((LOOPBACK, 0), _Answers) as server:
        thread = Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://{LOOPBACK}:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
