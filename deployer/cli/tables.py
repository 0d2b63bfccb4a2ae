"""Servers and revisions as people read them."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from deployer.cli.terminal import Column, print_fields, print_table, say, style_of_state
from deployer.words import size_in_words

if TYPE_CHECKING:
    from deployer.engine import Unreadable
    from deployer.gateway import Traffic
    from deployer.prune import Leftover
    from deployer.records.record import HistoryEntry
    from deployer.server import ModelServer
    from deployer.sizes import Sizes

SERVERS = (
    Column("name"),
    Column("state", at_most=40, style_of=style_of_state),
    Column("revision", drop=1),
    Column("model", drop=4, at_most=30),
    Column("type", drop=3),
    Column("flow", drop=5, at_most=20),
    Column("age", drop=2),
    Column("url"),
)
REVISIONS = (
    Column("number"),
    Column("outcome", style_of=style_of_state),
    Column("reason", drop=1, at_most=40),
    Column("digest", drop=4, at_most=13),
    Column("model", drop=3, at_most=40),
    Column("when"),
    Column("cause", drop=2, at_most=40),
)
LEFTOVERS = (Column("kind"), Column("size"), Column("where"))
UNITS = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))


def print_servers(servers: "Sequence[ModelServer]") -> None:
    if servers:
        print_table(SERVERS, [_row(server) for server in servers])
    else:
        say("No model server is found.", stderr=True)


def print_unreadable(found: "Sequence[Unreadable]") -> None:
    for thing in found:
        say(f"Unreadable: {thing.where}: {thing.reason}", "yellow")


def print_leftovers(found: "Sequence[Leftover]") -> None:
    print_table(LEFTOVERS, [[one.kind, size(one.bytes), str(one.path)] for one in found])


def print_server(server: "ModelServer", sizes: "Sizes", traffic: "Traffic | None" = None) -> None:
    config, origin = server.config, server.provenance
    fields = {
        "name": server.name,
        "uuid": str(server.uuid),
        "state": state(server),
        "url": server.url,
        "prediction url": server.prediction_url,
        "revision": str(server.revision),
        "model name": config.model_name,
        "model uri": config.model_uri,
        "model type": server.model_type,
        "digest": server.digest,
        "model size": size(sizes.model),
        "log size": size(sizes.log),
        "runtime": config.runtime,
        "flow": origin.pipeline_name,
        "flow run": origin.pipeline_run_id,
        "task": origin.pipeline_step_name,
        "env": ", ".join(f"{name}={value}" for name, value in config.env.items()),
        "credentials": ", ".join(f"{name} from {reference}" for name, reference in config.credentials.items()),
        "secrets": ", ".join(f"{name} from {reference}" for name, reference in config.secrets.items()),
        "token": server.token,
        "requests": traffic.counts if traffic else "",
        "latency": traffic.quantiles if traffic else "",
        "created": _when(server.created_at),
        "deployed": _when(server.deployed_at),
    }
    print_fields({name: value or "-" for name, value in fields.items()})


def print_history(entries: "Sequence[HistoryEntry]") -> None:
    print_table(REVISIONS, [_revision(entry) for entry in entries])


def size(count: int | None) -> str:
    """So many bytes in words; empty where they are not known."""
    return "" if count is None else size_in_words(count)


def age(since: datetime) -> str:
    """How long ago, in its largest unit."""
    seconds = max(0, int((datetime.now(UTC) - since).total_seconds()))
    size, unit = next((pair for pair in UNITS if seconds >= pair[0]), UNITS[-1])
    return f"{seconds // size} {unit}"


def state(server: "ModelServer") -> str:
    """Its state, and its message where there is one."""
    return f"{server.state}: {server.message}" if server.message else str(server.state)


def _row(server: "ModelServer") -> list[str]:
    return [
        server.name,
        state(server),
        str(server.revision),
        server.config.model_name or server.config.model_uri,
        server.model_type,
        server.provenance.pipeline_name,
        age(server.created_at),
        server.url,
    ]


def _revision(entry: "HistoryEntry") -> list[str]:
    return [
        str(entry.number),
        str(entry.outcome),
        entry.reason,
        entry.digest,
        entry.config.model_uri,
        _when(entry.created_at),
        entry.cause,
    ]


def _when(moment: datetime) -> str:
    return moment.astimezone().isoformat(" ", "seconds")
