"""What a caller is told of a model server."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from deployer.config import ModelServerConfig, Provenance


class State(StrEnum):
    """What a model server was seen to be."""

    PENDING = "pending"
    READY = "ready"
    DEGRADED = "degraded"
    FAILED = "failed"
    STOPPED = "stopped"
    UNKNOWN = "unknown"


@dataclass(frozen=True, kw_only=True)
class ModelServer:
    """One model server, as it was when it was looked at.

    Attributes:
        url: base URL, the same for the server's whole life; ends without a slash.
        prediction_url: where prediction requests go.
        message: what a person can act on; empty when all is well.
        revision: the number of the revision that the route names.
        protocol: how `prediction_url` is spoken to; the runtime's.
        token: reference to the token that callers must show, as far as its deployer knows; empty where they need none.
        created_at: of the server, that is of its revision 1.
        deployed_at: of the present revision.
    """

    uuid: UUID
    name: str
    url: str
    prediction_url: str
    state: State
    message: str
    revision: int
    config: ModelServerConfig
    digest: str
    model_type: str
    protocol: str
    created_at: datetime
    deployed_at: datetime
    token: str = ""

    @property
    def provenance(self) -> Provenance:
        """Where the present revision came from; empty fields where nothing is known."""
        return self.config.provenance or Provenance()
