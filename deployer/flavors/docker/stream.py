"""Calls whose answer comes line by line: a pull, a push, a build. The SDK's own cannot be ended from here."""

import json
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any

from deployer.errors import RolloutTimeout
from deployer.flavors.docker.connection import API, Connection
from deployer.flavors.docker.refusals import refusals
from deployer.rollout.wait import Deadline

if TYPE_CHECKING:
    from requests import Response

SERVES_ON = "What served before serves on; nothing was changed."
GIVE_TIME = "Give it more time, or have it done beforehand."
Line = Mapping[str, Any]


class OutOfTime(Exception):
    """The deadline passed before the last line came."""


@dataclass(frozen=True)
class Call:
    """One call to the engine's API.

    Attributes:
        failure: what could not be done, in words, where the engine refuses.
        content: a tar that is sent along.
    """

    path: str
    failure: str
    params: Mapping[str, str]
    headers: Mapping[str, str]
    content: IO[bytes] | None = None


def lines_of(connection: Connection, call: Call, deadline: Deadline) -> Generator[Line, None, None]:
    """Its lines as they come; when their reader stops, or time is up, the engine is told so by the end of the line.

    Raises:
        OutOfTime: the deadline passed.
        Gone, EngineUnavailable, EngineError: the engine says no, or nothing.
    """
    left_s = _left(deadline)
    try:
        with refusals(call.failure), _ends_in_time(deadline), _answer(connection, call, left_s) as answer:
            rest = b""
            for chunk in _chunks(answer, deadline):
                *whole, rest = (rest + chunk).split(b"\n")
                yield from (json.loads(line) for line in whole if line.strip())
            if rest.strip():
                yield json.loads(rest)
    finally:
        # Also where the engine's refusal is what came.
        if call.content:
            call.content.close()


def late(what: str, log_tail: str = "") -> RolloutTimeout:
    """Told to whoever waited."""
    return RolloutTimeout(what, serving=SERVES_ON, hint=GIVE_TIME, log_tail=log_tail)


@contextmanager
def _answer(connection: Connection, call: Call, left_s: float | None) -> "Iterator[Response]":
    from docker.errors import create_api_error_from_http_exception
    from requests.exceptions import HTTPError

    url = f"{connection.api.base_url}/v{API}{call.path}"
    with connection.api.post(
        url, params=call.params, headers=call.headers, data=call.content, stream=True, timeout=left_s
    ) as answer:
        try:
            answer.raise_for_status()
        except HTTPError as error:
            create_api_error_from_http_exception(error)
        yield answer


def _chunks(answer: "Response", deadline: Deadline) -> Iterator[bytes]:
    """Each as soon as it is here; the socket waits no longer than there is time."""
    chunks = answer.iter_content(chunk_size=None)
    while True:
        if deadline.passed:
            raise OutOfTime
        if sock := getattr(answer.raw.connection, "sock", None):  # None once the answer has ended.
            sock.settimeout(_left(deadline))
        chunk = next(chunks, None)
        if chunk is None:
            return
        yield chunk


@contextmanager
def _ends_in_time(deadline: Deadline) -> Iterator[None]:
    """A socket that waited too long says so in one of many ways."""
    from requests.exceptions import RequestException

    try:
        yield
    except (RequestException, OSError):
        if deadline.passed:
            raise OutOfTime from None
        raise


def _left(deadline: Deadline) -> float | None:
    """For a socket: 0 would mean not to wait at all."""
    return None if deadline.until is None else max(deadline.left_s, 0.001)
