"""A web server with ETags and ranges, that fails when it is told to."""

import hashlib
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

Fault = Callable[["Handler"], bool]
"""What happens instead of an answer; True: the answer comes all the same."""


@dataclass
class Web:
    """What it serves, what it was asked, and what is to befall the next requests for bodies.

    Attributes:
        tagged, weak: whether answers have an ETag, and one that says of bytes no more than that they are alike.
        faults: one for each of the next GETs.
        token: the bearer token that it wants to see; empty: none.
        headers: sent with each answer.
        bytes_per_s: how quickly each answer's body comes; 0: as quickly as it can.
    """

    files: dict[str, bytes] = field(default_factory=dict)
    asked: list[tuple[str, str, Mapping[str, str]]] = field(default_factory=list)
    faults: deque[Fault] = field(default_factory=deque)
    tagged: bool = True
    weak: bool = False
    ranges: bool = True
    token: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    bytes_per_s: int = 0
    address: str = ""

    @property
    def handler(self) -> type["Handler"]:
        """What answers its requests."""
        return Handler

    @property
    def gets(self) -> list[str]:
        """The range that each GET asked for, empty for all."""
        return [headers.get("Range", "") for method, _, headers in self.asked if method == "GET"]


@contextmanager
def serving(web: Web) -> Iterator[Web]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (web.handler,), {"web": web}))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    web.address = f"http://127.0.0.1:{server.server_port}"
    try:
        yield web
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class Handler(BaseHTTPRequestHandler):
    """One request."""

    protocol_version = "HTTP/1.1"
    web: Web

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def tag(self) -> str:
        """The ETag of what stands at its path."""
        weak = "W/" if self.web.weak else ""
        return f'{weak}"{hashlib.sha256(self.content() or b"").hexdigest()[:16]}"'

    def content(self) -> bytes | None:
        return self.web.files.get(urlsplit(self.path).path)

    def _answer(self, with_body: bool) -> None:
        self.web.asked.append((self.command, self.path, dict(self.headers.items())))
        if with_body and self.web.faults and not self.web.faults.popleft()(self):
            return
        content = self.content()
        if self.web.token and self.headers.get("Authorization") != f"Bearer {self.web.token}":
            self.say(401)
        elif content is None:
            self.say(404)
        else:
            self._send(content, with_body)

    def _send(self, content: bytes, with_body: bool) -> None:
        tag = self.tag()
        start, status = self._start(tag), 200
        headers = dict(self.web.headers) | ({"ETag": tag} if self.web.tagged else {})
        if start:
            status = 206
            headers["Content-Range"] = f"bytes {start[0]}-{min(start[1], len(content) - 1)}/{len(content)}"
            content = content[start[0] : start[1] + 1]
        self.say(status, headers | {"Content-Length": str(len(content))})
        if with_body:
            self._write(content)

    def _write(self, content: bytes) -> None:
        step = self.web.bytes_per_s // 20 or len(content) or 1
        for start in range(0, len(content), step):
            self.wfile.write(content[start : start + step])
            if self.web.bytes_per_s:
                time.sleep(0.05)

    def _start(self, tag: str) -> tuple[int, int] | None:
        asked = self.headers.get("Range", "") if self.web.ranges else ""
        if not asked or self.headers.get("If-Range", tag) != tag:
            return None
        first, _, last = asked.removeprefix("bytes=").partition("-")
        return int(first), int(last or 1 << 62)

    def say(self, status: int, headers: Mapping[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {"Content-Length": "0"}).items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""


def breaks_off_after(count: int) -> Fault:
    """It sends so many bytes of what was promised, then hangs up."""

    def fault(handler: Handler) -> bool:
        content = handler.content() or b""
        first = int(handler.headers.get("Range", "bytes=0-")[6:].partition("-")[0])
        headers = {"Content-Length": str(len(content) - first), "ETag": handler.tag()}
        handler.say(206 if first else 200, headers | {"Content-Range": f"bytes {first}-{len(content) - 1}/*"})
        handler.wfile.write(content[first : first + count])
        handler.close_connection = True
        handler.connection.close()
        return False

    return fault


def answers(status: int) -> Fault:
    def fault(handler: Handler) -> bool:
        handler.say(status)
        return False

    return fault


def hangs(seconds: float) -> Fault:
    def fault(handler: Handler) -> bool:
        time.sleep(seconds)
        return True

    return fault
