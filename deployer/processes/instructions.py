"""What a starter is told on its standard input, and what it answers by its exit code."""

import json
import re
from collections.abc import Mapping
from enum import IntEnum
from typing import Any, NamedTuple


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


class Room(NamedTuple):
    """What a server may use of the machine, and what is written beside it as long as it runs.

    Attributes:
        cpus: the CPUs that it runs on; empty: all of them.
        gpus: the devices that it has alone.
        group: its control group's folder; empty: none.
        limits: of that group, by file.
        memory: the limit on its memory in its config's words.
    """

    cpus: list[int] = []
    gpus: list[str] = []
    group: str = ""
    limits: dict[str, str] = {}
    memory: str = ""


NO_ROOM = Room()


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
        room: the fields of a `Room`.
        guard: a descriptor to be kept open until it is written down what the server has; -1: none.
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
    room: dict[str, Any] = {}
    guard: int = -1

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
