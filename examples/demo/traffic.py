"""Requests without pause, each written down; run as `python -m examples.demo.traffic URL BODY OUT STOP`."""

import csv
import http.client
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

CLIENTS = 2
PAUSE_S = 0.04
LONGEST_S = 3600.0


@dataclass(frozen=True)
class Sent:
    """One request: when it began and ended by the wall clock, and the revision that answered; empty if it failed."""

    began: float
    ended: float
    revision: str
    trouble: str

    @property
    def failed(self) -> bool:
        return bool(self.trouble)


@contextmanager
def traffic(url: str, body: Path, folder: Path) -> Iterator[Path]:
    """Requests from a process of its own while the context is open; gives the file they are written to."""
    out, stop = folder / "requests.csv", folder / "stop"
    command = [sys.executable, "-m", "examples.demo.traffic", url, str(body), str(out), str(stop)]
    process = subprocess.Popen(command)
    try:
        yield out
    finally:
        stop.touch()
        process.wait(timeout=60)


def requests_in(out: Path) -> list[Sent]:
    """All requests written down so far that have ended."""
    with open(out, newline="") as file:
        return [Sent(float(row[0]), float(row[1]), row[2], row[3]) for row in csv.reader(file) if len(row) == 4]


def send(url: str, body: bytes, out: Path, stop: Path) -> None:
    """Send until the file `stop` is there; every other client opens a new connection each time."""
    lock = threading.Lock()
    with open(out, "a", newline="", buffering=1) as file:
        writer = csv.writer(file)

        def note(sent: Sent) -> None:
            with lock:
                writer.writerow([f"{sent.began:.4f}", f"{sent.ended:.4f}", sent.revision, sent.trouble])

        threads = [threading.Thread(target=_client, args=(url, body, stop, note, n % 2 == 0)) for n in range(CLIENTS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


def _client(url: str, body: bytes, stop: Path, note: object, keeps: bool) -> None:
    assert callable(note)
    parts, until = urlsplit(url), time.monotonic() + LONGEST_S
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=20)
    while not stop.exists() and time.monotonic() < until:
        began = time.time()
        revision, trouble = _one(connection, parts.path, body)
        note(Sent(began, time.time(), revision, trouble))
        if trouble or not keeps:
            connection.close()
        time.sleep(PAUSE_S)


def _one(connection: http.client.HTTPConnection, path: str, body: bytes) -> tuple[str, str]:
    try:
        connection.request("POST", path, body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        answer.read()
    except (OSError, http.client.HTTPException) as error:
        return "", type(error).__name__
    if answer.status != 200:
        return "", str(answer.status)
    return answer.headers.get("Model-Server-Revision", "?"), ""


if __name__ == "__main__":
    send(sys.argv[1], Path(sys.argv[2]).read_bytes(), Path(sys.argv[3]), Path(sys.argv[4]))
