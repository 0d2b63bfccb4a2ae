"""What a model server takes on disk."""

from dataclasses import dataclass

from deployer.engine import MeasuresLogs
from deployer.engine_deployer import EngineModelDeployer
from deployer.leftovers import size_of
from deployer.records.names import platform_name
from deployer.server import ModelServer


@dataclass(frozen=True)
class Sizes:
    """In bytes; None where they are not here, or the platform does not tell.

    Attributes:
        model: the bytes of the present revision, which other revisions and servers may share.
        log: what is kept of what it wrote.
    """

    model: int | None = None
    log: int | None = None


def sizes_of(deployer: EngineModelDeployer, server: ModelServer) -> Sizes:
    """The sizes of one server's present revision."""
    store, engine = deployer.store, deployer.engine
    model = size_of(store.root / server.digest) if store.has(server.digest) else None
    log = None
    if isinstance(engine, MeasuresLogs):
        workloads = engine.list(platform_name(server.name))
        log = next((engine.log_bytes(one.ref) for one in workloads if one.revision == server.revision), None)
    return Sizes(model, log)
