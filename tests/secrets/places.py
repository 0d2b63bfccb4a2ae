"""Every kind of place where something of a model server's life may stay."""

import json
import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from deployer.http import request
from tests.secrets.planted import told_in

Content = Iterator[tuple[str, bytes]]
Places = Mapping[str, Callable[[], Content]]
KINDS = ("flow_runs", "task_runs", "logs", "artifacts", "deployments", "block_documents", "variables")
PAGE, ANSWER_S, LOOK_EACH_S = 200, 30, 0.05


def told(places: Places, planted: dict[str, str]) -> list[str]:
    """Where which of the secrets is to be read."""
    return [
        f"{place}: {where}: {what}"
        for place, contents in places.items()
        for where, content in contents()
        for what in told_in(content, planted)
    ]


def files(folder: Path) -> Content:
    """Each file in it, and its name."""
    for path in folder.rglob("*"):
        yield str(path.relative_to(folder)), str(path).encode()
        if path.is_file() and not path.is_symlink():
            yield str(path.relative_to(folder)), path.read_bytes()


def rows(database: Path) -> Content:
    """Each row of each table; the bytes of the file are among `files`."""
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        for (table,) in tables:
            for row in connection.execute(f'SELECT * FROM "{table}"'):
                yield table, b"\0".join(value if isinstance(value, bytes) else str(value).encode() for value in row)


def answers(api_url: str) -> Content:
    """All that Prefect's API tells."""
    for kind in KINDS:
        yield from ((kind, entry) for entry in _all_of(f"{api_url}/{kind}/filter"))
    page = _post(f"{api_url}/events/filter", {"limit": 50})
    while True:
        yield "events", json.dumps(page["events"]).encode()
        if not page["next_page"]:
            return
        page = json.loads(request("GET", page["next_page"], timeout_s=ANSWER_S).body)


def raw_data(admin_port: Callable[[], int]) -> Content:
    """All that Traefik's admin API tells."""
    for path in ("/api/rawdata", "/api/http/middlewares", "/metrics"):
        yield path, request("GET", f"http://127.0.0.1:{admin_port()}{path}", timeout_s=ANSWER_S).body


@dataclass
class Arguments:
    """The arguments of all processes that ran while somebody looked."""

    seen: set[str] = field(default_factory=set)

    def look(self) -> None:
        for process in psutil.process_iter():
            try:
                self.seen.add("\0".join(process.cmdline()))
            except psutil.Error:
                continue

    def all(self) -> Content:
        for arguments in sorted(self.seen):
            yield arguments.split("\0")[0], arguments.encode()


@contextmanager
def looking_at_arguments() -> Iterator[Arguments]:
    """Look again and again."""
    arguments, over = Arguments(), threading.Event()

    def look() -> None:
        while not over.wait(LOOK_EACH_S):
            arguments.look()

    looker = threading.Thread(target=look)
    looker.start()
    try:
        yield arguments
    finally:
        over.set()
        looker.join()


def _all_of(url: str) -> Iterator[bytes]:
    offset = 0
    while entries := _post(url, {"limit": PAGE, "offset": offset}):
        yield from (json.dumps(entry, ensure_ascii=False).encode() for entry in entries)
        offset += PAGE


def _post(url: str, question: object) -> Any:
    body = json.dumps(question).encode()
    answer = request("POST", url, body=body, headers={"Content-Type": "application/json"}, timeout_s=ANSWER_S)
    assert answer.ok, f"{url}: {answer.status} {answer.body.decode(errors='replace')}"
    return json.loads(answer.body)
