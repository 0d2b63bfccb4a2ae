"""Requests at full speed from a process of its own, counted; run as `python -m benchmarks.load URL OUT STOP`."""

import http.client
import json
import sys
import threading
import time
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import Popen
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator

CLIENTS = 4
SLOW_EVERY = 50
SLOW_S = 0.4
LONGEST_S = 1800.0
BODY = json.dumps([[5.1, 3.5, 1.4, 0.2]])


@dataclass
class Count:
    """What one process of clients saw."""

    sent: int = 0
    slow: int = 0
    failures: list[str] = field(default_factory=list)
    answers: Counter[str] = field(default_factory=Counter)


def hammer(url: str, stop: Path) -> Count:
    """Send until the file `stop` is there: half the clients keep their connection, one request in fifty is slow."""
    counts = [Count() for _ in range(CLIENTS)]
    threads = [threading.Thread(target=_client, args=(url, stop, n, count)) for n, count in enumerate(counts)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return _sum(counts)


@contextmanager
def load(url: str, folder: Path, processes: int = 2) -> "Iterator[list[Count]]":
    """Load on a URL while the context is open; the list holds the sum once it is closed."""
    stop, result = folder / "stop", list[Count]()
    outs = [folder / f"load-{n}.json" for n in range(processes)]
    running = [Popen([sys.executable, "-m", "benchmarks.load", url, str(out), str(stop)]) for out in outs]
    try:
        yield result
    finally:
        stop.touch()
        for process in running:
            process.wait(timeout=60)
    result.append(_sum([_read(out) for out in outs]))


def _client(url: str, stop: Path, number: int, count: Count) -> None:
    parts, connection = urlsplit(url), None
    until = time.monotonic() + LONGEST_S
    while not stop.exists() and time.monotonic() < until:
        count.sent += 1
        slow = count.sent % SLOW_EVERY == 0
        count.slow += slow
        headers = {"Content-Type": "application/json"} | ({"Work-Seconds": str(SLOW_S)} if slow else {})
        try:
            connection = connection or http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=30)
            connection.request("POST", parts.path, BODY, headers)
            answer = connection.getresponse()
            said = answer.read()
            if answer.status != 200:
                raise http.client.HTTPException(f"{answer.status} {said[:80]!r}")
            count.answers[answer.headers.get("Model-Server-Revision", "?")] += 1
        except (OSError, http.client.HTTPException) as error:
            count.failures.append(repr(error))
            connection = None
        if number % 2 and connection:
            connection.close()
            connection = None


def _sum(counts: list[Count]) -> Count:
    total = Count()
    for count in counts:
        total.sent += count.sent
        total.slow += count.slow
        total.failures += count.failures
        total.answers += count.answers
    return total


def _read(out: Path) -> Count:
    stored = json.loads(out.read_text())
    return Count(stored["sent"], stored["slow"], stored["failures"], Counter(stored["answers"]))


if __name__ == "__main__":
    counted = hammer(sys.argv[1], Path(sys.argv[3]))
    Path(sys.argv[2]).write_text(json.dumps(vars(counted)))
