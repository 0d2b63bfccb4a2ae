"""Revisions change under load, and nobody notices."""

import http.client
import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from deployer.gateway import Backend, Route
from deployer.gateways.traefik import TraefikGateway

SWAPS = 20
DRAINED_WITHIN_S = 20.0


class Load:
    """Users who ask all the time: over kept-alive connections, over new ones, and for answers that take their time."""

    def __init__(self, url: str) -> None:
        self._host, self._server = url.removeprefix("http://").split("/")
        self._over = threading.Event()
        self._kinds = [(True, "fast"), (True, "fast"), (False, "fast"), (True, "unhurried"), (False, "unhurried")]
        self.answered: Counter[int] = Counter()
        self.failed: list[str] = []
        self.acknowledged = 0
        self._in_flight: dict[int, int] = {}

    @contextmanager
    def running(self) -> Iterator[None]:
        users = [threading.Thread(target=self._ask_on, args=kind) for kind in self._kinds]
        for user in users:
            user.start()
        try:
            yield
        finally:
            self._over.set()
            for user in users:
                user.join(10)

    def drain(self) -> None:
        """Wait until whatever was asked before the last acknowledgement is answered."""
        until = time.monotonic() + DRAINED_WITHIN_S
        while any(at_least < self.acknowledged for at_least in list(self._in_flight.values())):
            assert time.monotonic() < until, "requests of before are still in flight"
            time.sleep(0.005)

    def _ask_on(self, keep_alive: bool, path: str) -> None:
        connection = http.client.HTTPConnection(self._host, timeout=5)
        while not self._over.is_set():
            try:
                self._ask(connection, path)
            except (OSError, http.client.HTTPException) as error:
                self.failed.append(f"{path}: {error!r}")
                connection.close()
            self._in_flight.pop(threading.get_ident(), None)
            if not keep_alive:
                connection.close()
            time.sleep(0.002)
        connection.close()

    def _ask(self, connection: http.client.HTTPConnection, path: str) -> None:
        at_least = self._in_flight[threading.get_ident()] = self.acknowledged
        connection.request("POST", f"/{self._server}/{path}", body=b"[[1, 2]]")
        answer = connection.getresponse()
        body = answer.read()
        if answer.status != 200:
            self.failed.append(f"{path}: {answer.status} {body[:80]!r}")
        elif (revision := json.loads(body)["revision"]) < at_least:
            self.failed.append(f"{path}: revision {revision} after {at_least} was acknowledged")
        else:
            self.answered[revision] += 1


def test_no_request_fails_and_none_is_answered_by_what_was_replaced(
    gateway: TraefikGateway, serve_until_closed: Callable[[int], tuple[Backend, Callable[[], None]]]
) -> None:
    load = Load(gateway.url("churn"))
    backend, close = serve_until_closed(1)
    gateway.acknowledge("churn", gateway.write("churn", (backend,), 1, ""), 10)
    with load.running():
        for revision in range(2, SWAPS + 2):
            backend, close_next = serve_until_closed(revision)
            seen = gateway.routes("churn").get("churn", Route()).tag
            gateway.acknowledge("churn", gateway.write("churn", (backend,), revision, seen), 10)
            load.acknowledged = revision
            load.drain()
            close()
            close = close_next
    assert load.failed == []
    assert len(load.answered) >= SWAPS and load.answered.total() > 20 * SWAPS
