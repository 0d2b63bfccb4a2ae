"""A harness's half for every flavor whose URLs are real."""

import http.client
import json
from contextlib import AbstractContextManager
from urllib.parse import urlsplit

from deployer.engine import Workload
from deployer.gateway import REVISION_HEADER
from deployer.server import ModelServer
from deployer.testing.hammer import Hammer, Reply
from deployer.testing.impostor import impostor

ANSWERS_WITHIN_S = 30.0
BODY = json.dumps({"inputs": [[1.0]]}).encode()


class KeptAlive:
    """Asks a URL again and again on one connection; a new one after a failure."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._connection = self._connect()

    def __call__(self) -> Reply:
        try:
            return _ask(self._connection, self._url)
        except (OSError, http.client.HTTPException, ValueError) as error:
            self._connection.close()
            self._connection = self._connect()
            return Reply(0, f"{type(error).__name__}: {error}")

    def close(self) -> None:
        self._connection.close()

    def _connect(self) -> http.client.HTTPConnection:
        parts = urlsplit(self._url)
        return http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=ANSWERS_WITHIN_S)


def ask_once(url: str) -> Reply:
    """One request on a connection of its own."""
    asker = KeptAlive(url)
    try:
        return asker()
    finally:
        asker.close()


class HttpHarness:
    """Asks servers through their URLs, on connections that are kept and on new ones."""

    def ask(self, server: ModelServer) -> Reply:
        """One request through the server's URL."""
        return ask_once(server.prediction_url)

    def hammer(self, server: ModelServer) -> Hammer:
        """Requests through the server's URL without pause: half on kept connections, half on new ones."""
        url = server.prediction_url
        kept = [KeptAlive(url), KeptAlive(url)]
        return Hammer([*kept, lambda: ask_once(url), lambda: ask_once(url)], [asker.close for asker in kept])

    def impostor(self, workload: Workload) -> AbstractContextManager[None]:
        """It listens on the workload's port."""
        return impostor(urlsplit(workload.address).port or 0)


def _ask(connection: http.client.HTTPConnection, url: str) -> Reply:
    connection.request("POST", urlsplit(url).path or "/", body=BODY, headers={"Content-Type": "application/json"})
    response = connection.getresponse()
    body = response.read()
    revision = int(response.getheader(REVISION_HEADER) or 0)
    if response.status != http.client.OK:
        return Reply(response.status, body[:200].decode(errors="replace"), revision)
    return Reply(response.status, str(json.loads(body).get("answer", "")), revision)
