"""A package index on loopback, which may ask for a login."""

import base64
import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path


@dataclass
class Index:
    """What it holds is what lies in its folder.

    Attributes:
        asked: the paths that were asked for, in their order.
    """

    folder: Path
    login: str = ""
    port: int = 0
    asked: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://{f'{self.login}@' if self.login else ''}127.0.0.1:{self.port}/simple/"


@contextmanager
def package_index(folder: Path, login: str = "") -> Iterator[Index]:
    """Serves the wheels and sdists in a folder.

    Args:
        login: `user:password`, without which nothing is told.
    """
    index = Index(folder, login)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(_Answers, index)) as server:
        index.port = server.server_port
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield index
        server.shutdown()
        thread.join()


class _Answers(http.server.BaseHTTPRequestHandler):
    def __init__(self, index: Index, *args: object) -> None:
        self.index = index
        super().__init__(*args)  # type: ignore[arg-type]

    def do_GET(self) -> None:
        self.index.asked.append(self.path)
        kind, _, name = self.path.strip("/").partition("/")
        login = f"Basic {base64.b64encode(self.index.login.encode()).decode()}"
        if self.index.login and self.headers.get("Authorization") != login:
            return self._answer(401, b"", {"WWW-Authenticate": "Basic"})
        if kind == "simple":
            found = [path.name for path in self.index.folder.iterdir() if _name_of(path) == name]
            page = "".join(f'<a href="/files/{file}">{file}</a>' for file in found)
            return self._answer(200 if found else 404, page.encode(), {"Content-Type": "text/html"})
        return self._answer(200, (self.index.folder / name).read_bytes(), {"Content-Type": "application/octet-stream"})

    def _answer(self, status: int, content: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        """Silently."""


def _name_of(package: Path) -> str:
    name = package.name.split("-")[0] if package.suffix == ".whl" else package.name.rpartition("-")[0]
    return name.replace("_", "-")
