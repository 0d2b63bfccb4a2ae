"""What a starter is told on its standard input, and what it answers by its exit code."""

import json
import re
from collections.abc import Mapping
from enum import IntEnum
from typing import NamedTuple


class Outcome(IntEnum):
    """What came of a start; the exit code of the process that was asked for it."""

    STARTED = 0
    ALREADY_RUNS = 75
    DELETED = 76
    NOT_WANTED = 77
    NO_PORT = 78
    FAILED = 79
    KILLED = 80
    NOT_NOW = 81


class NotStarted(Exception):
    """The server was not started."""

    def __init__(self, outcome: Outcome, message: str = "") -> None:
        super().__init__(message)
        self.outcome = outcome
        self.message = message


class Instructions(NamedTuple):
    """How to start a server. They may hold secrets: they go through a pipe, never to a disk.

    Attributes:
        fill: what stands for `{name}` in `argv` and in the `filled` variables, beside the starter's own
            `{port}` and `{descriptor}`.
        filled: names of the variables in `env` that hold such places.
        ports: the first that can be bound is the server's; without any it has no address.
        takes_descriptor: the server inherits the bound socket; otherwise it is let go for it to bind anew.
        log_limit: bytes that its log may take, roughly.
        stable_s: a run of so many seconds has its starts counted anew.
        stands: what files of the folder hold, by name, as whoever asks has read them; another's are not started.
        strikes: signals that the starter is to send itself, by the point it has reached; for tests of what it leaves.
    """

    argv: list[str]
    env: dict[str, str]
    fill: dict[str, str]
    filled: list[str]
    ports: list[int]
    takes_descriptor: bool
    log_limit: int
    stable_s: float
    stands: dict[str, str]
    strikes: dict[str, int]

    def as_json(self) -> str:
        return json.dumps(self._asdict())

    def command(self, places: Mapping[str, str]) -> list[str]:
        """The arguments, all places filled."""
        return [_filled(item, {**self.fill, **places}) for item in self.argv]

    def environment(self, places: Mapping[str, str]) -> dict[str, str]:
        """The whole environment, the places of the filled variables filled."""
        values = {**self.fill, **places}
        return {name: _filled(text, values) if name in self.filled else text for name, text in self.env.items()}


def _filled(text: str, values: Mapping[str, str]) -> str:
    """Filled in one pass, so that a value which itself holds `{port}` stays as it is."""
    return re.sub(r"\{(\w+)\}", lambda place: values.get(place[1], place[0]), text)
