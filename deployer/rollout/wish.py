"""What a deploy asks for, and the revision that it waits for."""

from dataclasses import dataclass
from uuid import UUID

from deployer.config import ModelServerConfig
from deployer.engine import Launch
from deployer.records.record import Environment, Image, Record


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What shall serve, its bytes pinned.

    Attributes:
        request_id: the same for a deploy and its retries.
        uuid: the server to make a new revision of, whatever stands there; None: the config says which.
        origin: the revision whose config and bytes these are, None for the new one itself.
        environment: the isolated Python environment that it is served in, if any.
        image: the container image that it is served by, if any.
    """

    config: ModelServerConfig
    digest: str
    model_type: str
    launch: Launch
    request_id: str
    cause: str
    replace: bool = True
    access: str = ""
    uuid: UUID | None = None
    origin: int | None = None
    environment: Environment | None = None
    image: Image | None = None


@dataclass(frozen=True)
class Claim:
    """The revision that a deploy waits for; `own`: it created it, and may close it."""

    record: Record
    own: bool

    @property
    def server(self) -> str:
        return self.record.server
