"""`list --watch`: the servers and what passes through them, again and again."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from uuid import UUID

from deployer.cli.tables import state
from deployer.cli.terminal import Column, console, is_terminal, print_json, print_table, style_of_state, table_of
from deployer.traffic import known_traffic

if TYPE_CHECKING:
    from deployer.cli.session import Session
    from deployer.gateway import Traffic
    from deployer.server import ModelServer

Find = Callable[[], "list[ModelServer]"]
COLUMNS = (
    Column("name"),
    Column("state", at_most=40, style_of=style_of_state),
    Column("revision", drop=5),
    Column("requests", drop=4),
    Column("a second"),
    Column("errors"),
    Column("p50", drop=3),
    Column("p95", drop=1),
    Column("p99", drop=2),
)


@dataclass(frozen=True)
class Look:
    """The servers at one moment, and what passed through each since its route last changed; None: nobody knows."""

    servers: "Sequence[ModelServer]"
    traffic: "Mapping[UUID, Traffic] | None"
    at: float = field(default_factory=time.monotonic)

    def rate(self, uuid: UUID, before: "Look | None") -> float | None:
        """Requests a second since the look before; None at the first, and where either saw no traffic."""
        if before is None or self.traffic is None or before.traffic is None:
            return None
        now, then = _requests(uuid, self.traffic), _requests(uuid, before.traffic)
        # Fewer than before: the route has changed, and with it the count began anew.
        return (now - then if now >= then else now) / (self.at - before.at)

    def of(self, uuid: UUID) -> "Traffic | None":
        """What is known to have passed through that server."""
        return self.traffic.get(uuid) if self.traffic else None


def _requests(uuid: UUID, traffic: "Mapping[UUID, Traffic]") -> int:
    return traffic[uuid].requests if uuid in traffic else 0


def watch(session: "Session", find: Find, interval_s: float) -> None:
    """Show them until somebody interrupts it."""
    before: Look | None = None
    with suppress(KeyboardInterrupt), _shown(session.as_json) as show:
        for _ in _each(interval_s):
            servers = find()
            look = Look(servers, known_traffic(session.deployer, servers))
            show(look, before)
            before = look


def _each(interval_s: float) -> Iterator[None]:
    """At once, and then each so many seconds."""
    while True:
        began = time.monotonic()
        yield
        time.sleep(max(0.0, interval_s - (time.monotonic() - began)))


@contextmanager
def _shown(as_json: bool) -> Iterator[Callable[[Look, "Look | None"], None]]:
    if as_json:
        yield lambda look, before: print_json({"servers": [_shape(server, look, before) for server in look.servers]})
    elif not is_terminal():
        yield lambda look, before: print_table(COLUMNS, _rows(look, before))
    else:
        from rich.live import Live

        with Live(console=console(), auto_refresh=False) as live:
            yield lambda look, before: live.update(table_of(COLUMNS, _rows(look, before)), refresh=True)


def _rows(look: Look, before: Look | None) -> list[list[str]]:
    return [_row(server, look, before) for server in look.servers]


def _row(server: "ModelServer", look: Look, before: Look | None) -> list[str]:
    from deployer.gateway import milliseconds

    traffic, rate = look.of(server.uuid), look.rate(server.uuid, before)
    counted = (
        [str(traffic.requests), "" if rate is None else f"{rate:.1f}", str(traffic.errors)] if traffic else [""] * 3
    )
    quantiles = [milliseconds(s) for s in (traffic.p50_s, traffic.p95_s, traffic.p99_s)] if traffic else [""] * 3
    return [server.name, state(server), str(server.revision), *counted, *quantiles]


def _shape(server: "ModelServer", look: Look, before: Look | None) -> dict[str, object]:
    from deployer.cli.shapes import traffic_shape

    return {
        "uuid": str(server.uuid),
        "name": server.name,
        "state": str(server.state),
        "message": server.message or None,
        "revision": server.revision,
        "requests_per_second": look.rate(server.uuid, before),
        "traffic": traffic_shape(look.of(server.uuid)),
    }
