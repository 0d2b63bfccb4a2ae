"""The contract of a gateway: what gives a model server its one URL."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

Tag = str
"""Names one version of a route; empty where there is no route."""

REVISION_HEADER = "Model-Server-Revision"
TOKEN_USER = "token"
"""Of HTTP Basic authentication, in which a token is the password."""


@dataclass(frozen=True)
class Backend:
    """One revision in a split.

    Attributes:
        address: base URL of its workload; empty while it is stopped, which answers 503 at once.
        stamps_revision: its answers carry the header Model-Server-Revision without the gateway.
        weight: its share of the traffic, relative to the other backends' weights.
        access: the gateway's own `entry_of` the token that callers must show; empty: as all its servers.
    """

    revision: int
    address: str
    stamps_revision: bool = False
    weight: int = 1
    access: str = ""


Split = tuple[Backend, ...]


@dataclass(frozen=True)
class Route:
    """Where a server's traffic goes.

    Attributes:
        high: no revision at or below it may enter the split any more.
        tag: names this version of the route.
    """

    split: Split = ()
    high: int = 0
    tag: Tag = ""

    def names(self, revision: int) -> bool:
        """Whether that revision is in the split."""
        return revision in [backend.revision for backend in self.split]

    def address_of(self, revision: int) -> str:
        """The address that the route has for a revision; empty where it has none."""
        return next((b.address for b in self.split if b.revision == revision), "")


NO_ROUTE = Route()


class Gateway(Protocol):
    """Gives a model server its one URL and splits its traffic over workloads; servers go by platform name."""

    def ensure(self) -> None:
        """See to it that the gateway runs and answers.

        Raises:
            GatewayDown: it does not come up.
            PortTaken: the port asked for belongs to somebody else.
        """
        ...

    def url(self, server: str) -> str:
        """The server's base URL, without a slash at its end; no I/O beyond the gateway's own settings."""
        ...

    def routes(self, server: str | None = None) -> dict[str, Route]:
        """All routes, or that of one server, by server."""
        ...

    def write(self, server: str, split: Split, high: int, seen: Tag) -> Tag:
        """Compare and swap: the new route's tag, if the tag `seen` (empty: no route) still stands.

        Raises:
            RouteMoved: it does not, or the split names a revision at or below `high` that the present split lacks.
        """
        ...

    def acknowledge(self, server: str, tag: Tag, deadline_s: float) -> None:
        """Return once the proxy itself says that it routes by that tag.

        Raises:
            RouteMoved: another route stands.
            GatewayDown: not within `deadline_s` seconds.
        """
        ...

    def remove(self, server: str, seen: Tag) -> None:
        """Remove the route, if the tag `seen` still stands.

        Raises:
            RouteMoved: it does not.
        """
        ...


@runtime_checkable
class TellsWhetherItAnswers(Protocol):
    """A gateway that goes on without whoever started it, and can be asked whether it does."""

    def answers(self) -> bool:
        """Whether it runs and answers.

        Raises:
            EngineError: it does, elsewhere than it was asked to.
        """
        ...


@runtime_checkable
class ChecksTokens(Protocol):
    """A gateway that can ask callers of one server for a token of its own."""

    def entry_of(self, token: str) -> str:
        """What a backend's `access` says of that token: never the token itself.

        Raises:
            InvalidConfig: the token will not do; the message does not show it.
        """
        ...


@dataclass(frozen=True, kw_only=True)
class Traffic:
    """What a gateway counted of one server since its route last changed.

    Attributes:
        answers: how many, by class of status: 2xx, 4xx, 5xx.
        p50_s, p95_s, p99_s: quantiles of their durations in seconds, as finely as they were counted.
    """

    answers: Mapping[str, int]
    p50_s: float | None
    p95_s: float | None
    p99_s: float | None

    @property
    def requests(self) -> int:
        return sum(self.answers.values())

    @property
    def errors(self) -> int:
        """Those that the server, or the gateway for it, could not answer."""
        return self.answers.get("5xx", 0)

    @property
    def counts(self) -> str:
        """How many, and with which classes of status where not all went well, in words."""
        classes = ", ".join(f"{count} {status}" for status, count in self.answers.items())
        return f"{self.requests}" if self.answers.keys() <= {"2xx"} else f"{self.requests} ({classes})"

    @property
    def quantiles(self) -> str:
        """How long they took, in words; empty where that is not known."""
        named = {"p50": self.p50_s, "p95": self.p95_s, "p99": self.p99_s}
        return ", ".join(f"{name} {milliseconds(seconds)}" for name, seconds in named.items() if seconds is not None)


def milliseconds(seconds: float | None) -> str:
    """A duration in milliseconds; empty where none is known."""
    return "" if seconds is None else f"{seconds * 1000:.3g} ms"


@runtime_checkable
class MeasuresTraffic(Protocol):
    """A gateway that counts what passes through it."""

    def traffic(self) -> dict[str, Traffic]:
        """By server; those that nobody called are left out.

        Raises:
            GatewayDown: it does not answer.
        """
        ...
