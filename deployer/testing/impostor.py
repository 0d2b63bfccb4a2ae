"""A stranger that answers 200 to everything, on ports that somebody else had."""

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from deployer.ports import LOOPBACK

ANSWER = b'{"answer": "an impostor"}'


@contextmanager
def impostor(*ports: int) -> Iterator[None]:
    """It listens there as long as the context is open."""
    with ExitStack() as listening:
        for port in ports:
            listening.enter_context(_listener(port))
        yield


@contextmanager
def _listener(port: int) -> Iterator[None]:
    with ThreadingHTTPServer((LOOPBACK, port), _SaysYes) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), name="impostor", daemon=True)
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join()


class _SaysYes(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 5

    def handle(self) -> None:
        """Whoever asked may be gone before the answer."""
        with suppress(ConnectionError):
            super().handle()

    def do_GET(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.send_response(200)
        self.send_header("Content-Length", str(len(ANSWER)))
        self.end_headers()
        self.wfile.write(ANSWER)

    do_POST = do_GET

    def log_message(self, *_: object) -> None:
        """Say nothing."""
