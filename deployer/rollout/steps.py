"""A plan's steps, and what is told of them while they are carried out."""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from uuid import UUID

from deployer.engine import Ref
from deployer.gateway import Backend


class Action(StrEnum):
    """What a step does.

    `fetch`, `build` (a Python environment) and `create` come before the plan; the others are the plan's.
    `close` burns a revision's number and marks it refused. `retire` waits for the proxy's
    acknowledgement and the whole drain before it stops; `stop` is for what takes no traffic.
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
