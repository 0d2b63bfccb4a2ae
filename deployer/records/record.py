"""The JSON by which a workload describes itself; written once, never changed."""

from datetime import datetime
from enum import StrEnum
from typing import Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, field_validator, model_validator
from pydantic_core import PydanticCustomError

from deployer.config import ModelServerConfig
from deployer.records.names import platform_name

HISTORY_LENGTH = 10
VERSION = 1


class Outcome(StrEnum):
    """What became of a revision, as far as its successor knew."""

    PENDING = "pending"
    SERVED = "served"
    REFUSED = "refused"


class Stored(BaseModel):
    """Read leniently: fields that a newer library added here are passed over; those in a config are not."""

    model_config = ConfigDict(frozen=True, extra="ignore", protected_namespaces=())


class Environment(Stored):
    """The isolated Python environment of a revision: with the model's bytes, all that is needed to build it again.

    Attributes:
        key: what it is stored under; equal ones hold the same.
        python: the version of its interpreter, as in 3.11.
        needs: what the runtime adds to the model's own requirements.
    """

    key: str
    python: str
    needs: tuple[str, ...] = ()


class Image(Stored):
    """The container image of a revision.

    Attributes:
        reference: as it was asked for, or tagged when it was built.
        id: what the engine calls that very image, whatever its reference means later.
        port: on which its server listens.
    """

    reference: str
    id: str
    port: int


class HistoryEntry(Stored):
    """One revision, as its successors remember it.

    Attributes:
        origin: the revision whose config and bytes it serves; its own number but after a rollback.
        cause: why it was made.
        reason: why its outcome is what it is.
    """

    number: int
    origin: int
    config: ModelServerConfig
    digest: str
    created_at: datetime
    cause: str
    outcome: Outcome = Outcome.PENDING
    reason: str = ""
    environment: Environment | None = None
    image: Image | None = None


class SupersededServer(Stored):
    """Another model server that goes once this revision serves, if it still stands at that revision."""

    uuid: UUID
    revision: int


class Record(Stored):
    """All that is known of one revision of one model server.

    Attributes:
        token: random; tells this workload from any other of the same name and number.
        request_id: the same for a deploy and its retries.
        origin: the revision whose config and bytes it serves.
        server_created_at: when revision 1 was made.
        access: the gateway's entry of the token that callers must show; see `deployer.gateway.ChecksTokens`.
        history: up to ten earlier revisions, oldest first.
        environment: None where it is served by the interpreter that its launch names, if any.
        image: None where it is no container.
    """

    version: Literal[1] = 1
    uuid: UUID
    name: str
    revision: int
    token: str
    request_id: str
    origin: int
    config: ModelServerConfig
    digest: str
    model_type: str
    cause: str
    created_at: datetime
    server_created_at: datetime
    supersedes: tuple[SupersededServer, ...] = ()
    access: str = ""
    history: tuple[HistoryEntry, ...] = ()
    environment: Environment | None = None
    image: Image | None = None

    @property
    def server(self) -> str:
        """The server's name on its platform."""
        return platform_name(self.name)

    @field_validator("version", mode="before")
    @classmethod
    def _is_known_here(cls, version: object) -> object:
        if isinstance(version, int) and version > VERSION:
            told = {"version": version, "known": VERSION}
            said = "{version} is a newer library's, which this one leaves alone: it reads up to {known}"
            raise PydanticCustomError("newer_version", said, told)
        return version

    @model_validator(mode="after")
    def _numbers_from_one(self) -> "Record":
        if self.revision < 1:
            raise ValueError("revisions are numbered from 1")
        return self
