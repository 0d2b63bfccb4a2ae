"""Gateways on free ports and small servers behind them; all of it is ended with the test."""

import itertools
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from deployer.gateway import Backend
from deployer.gateways.traefik import TraefikGateway
from deployer.ports import free_port


class NamesItself(BaseHTTPRequestHandler):
    """Answers its revision and the path; `slow` in the path takes a second, `unhurried` a quarter of it."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = 5

    def do_GET(self) -> None:
        if "slow" in self.path:
            time.sleep(1)
        if "unhurried" in self.path:
            time.sleep(0.25)
        body = json.dumps({"revision": self.server.revision, "path": self.path}).encode()  # type: ignore[attr-defined]
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        if self.server.stamps:  # type: ignore[attr-defined]
            self.send_header("Model-Server-Revision", f"{self.server.revision}, its own")  # type: ignore[attr-defined]
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.do_GET()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class SmallServer(ThreadingHTTPServer):
    """A revision's server."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, revision: int, stamps: bool = False) -> None:
        super().__init__(("127.0.0.1", 0), NamesItself)
        self.revision, self.stamps = revision, stamps
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def backend(self) -> Backend:
        return Backend(self.revision, f"http://127.0.0.1:{self.server_port}", self.stamps)

    def close(self) -> None:
        self.shutdown()
        self.server_close()


@pytest.fixture
def serve_until_closed() -> Iterator[Callable[..., tuple[Backend, Callable[[], None]]]]:
    """Start the server of a revision; what comes with it lets it take no new connections, and closes it."""
    with ExitStack() as servers:

        def start(revision: int, stamps: bool = False) -> tuple[Backend, Callable[[], None]]:
            server = SmallServer(revision, stamps)
            servers.callback(server.close)
            return server.backend, server.close

        yield start


@pytest.fixture
def serve(serve_until_closed: Callable[..., tuple[Backend, Callable[[], None]]]) -> Callable[..., Backend]:
    """Start the server of a revision, until the test is over."""
    return lambda revision, stamps=False: serve_until_closed(revision, stamps)[0]


@pytest.fixture
def make_gateway(tmp_path: Path) -> Iterator[Callable[..., TraefikGateway]]:
    """Make gateways, on a folder of the test's and a free port unless told otherwise."""
    with ExitStack() as gateways:
        numbers = itertools.count()

        def make(
            folder: Path | None = None, port: int | None = None, default_port: int | None = None, **asked: Any
        ) -> TraefikGateway:
            folder = folder or tmp_path / f"gateway-{next(numbers)}"
            gateway = TraefikGateway(folder, port, default_port=default_port or free_port(), **asked)
            gateways.callback(gateway.shutdown, 2)
            return gateway

        yield make


@pytest.fixture
def gateway(make_gateway: Callable[..., TraefikGateway]) -> TraefikGateway:
    """A gateway that runs."""
    made = make_gateway()
    made.ensure()
    return made
