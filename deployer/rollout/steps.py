"""A plan's steps, and what is told of them while they are carried out."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from uuid import UUID

from deployer.engine import Ref
from deployer.gateway import Backend

LINES_EVERY_S = 10.0


class Action(StrEnum):
    """What a step does.

    `fetch`, `build` (a Python environment) and `create` come before the plan; the others are the plan's.
    `close` burns a revision's number and marks it refused. `retire` waits for the proxy's
    acknowledgement and the whole drain before it stops; `stop` is for what takes no traffic.
    `note-silence` and `forget-silence` write down, where it runs, whether it answers; `kill` asks once more
    and ends, without grace, what hangs: a `start` follows. `keep-alive` tells the platform to bring it back by itself.
    """

    FETCH = "fetch"
    BUILD = "build"
    CREATE = "create"
    WAIT = "wait"
    START = "start"
    ROUTE = "route"
    CLOSE = "close"
    RETIRE = "retire"
    STOP = "stop"
    NOTE_SILENCE = "note-silence"
    FORGET_SILENCE = "forget-silence"
    KILL = "kill"
    KEEP_ALIVE = "keep-alive"
    DELETE = "delete"
    UNROUTE = "unroute"
    REMOVE_SERVER = "remove-server"


@dataclass(frozen=True, kw_only=True)
class Step:
    """One thing to do, and why.

    Attributes:
        ref: the workload it is done to, if any.
        backend: what a `route` step routes to; None: to nothing.
        superseded: the server that a `remove-server` step removes.
        pause_s: for how long a `wait` step need not look again.
    """

    action: Action
    cause: str
    ref: Ref | None = None
    backend: Backend | None = None
    superseded: UUID | None = None
    pause_s: float = field(default=0.0, compare=False)

    def __str__(self) -> str:
        return f"{self.action} {self.ref}" if self.ref else str(self.action)


@dataclass(frozen=True)
class Progress:
    """A step that has begun (`seconds` is None), goes on (`detail` says how), or has been done."""

    server: str
    step: Step
    seconds: float | None = None
    detail: str = ""


OnProgress = Callable[[Progress], None]


def ignore(progress: Progress) -> None:
    """Tells nobody."""


class NowAndThen:
    """Tells how far a fetch is at most every ten seconds, for what keeps each line; all else at once."""

    def __init__(self, on_progress: OnProgress) -> None:
        self._tell = on_progress
        self._told = dict[tuple[str, Step], float]()

    def __call__(self, progress: Progress) -> None:
        key, now = (progress.server, progress.step), time.monotonic()
        is_on_its_way = progress.step.action is Action.FETCH and progress.detail
        if is_on_its_way and now - self._told.get(key, now) < LINES_EVERY_S:
            return
        self._told[key] = now
        self._tell(progress)
