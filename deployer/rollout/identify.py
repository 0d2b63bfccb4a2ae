"""Which model server a config speaks of; pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

from deployer.config import ModelServerConfig, Provenance
from deployer.errors import ServerAlreadyExists, ServerNotFound
from deployer.records.names import next_free, platform_name
from deployer.records.record import Record, SupersededServer
from deployer.rollout.view import ServerView
from deployer.rollout.wish import Wish


@dataclass(frozen=True)
class Identity:
    """The server that a deploy is about.

    Attributes:
        view: the server as it stands, or what a delete that broke off left of it; None where there is nothing.
        supersedes: the other equivalent servers, which go once the new revision serves.
    """

    name: str
    view: ServerView | None = None
    supersedes: tuple[SupersededServer, ...] = ()

    @property
    def server(self) -> str:
        return platform_name(self.name)


def identify(config: ModelServerConfig, views: Sequence[ServerView], replace: bool) -> Identity:
    """The newest equivalent server when replacing, else a new one with a name that is free.

    Raises:
        ServerAlreadyExists: not replacing, and the name asked for is taken.
    """
    equivalents = sorted(filter(None, (_equivalent(config, view) for view in views)), key=_age, reverse=True)
    if equivalents and replace:
        (newest, view), *others = equivalents
        return Identity(newest.name, view, tuple(SupersededServer(uuid=r.uuid, revision=r.revision) for r, _ in others))
    if equivalents and config.name:
        raise _taken(equivalents[0][0])
    names = {view.speaking.workload.record.name for view in views if view.speaking}
    name = config.name or next_free(config.model_name, names)
    return Identity(name, next((view for view in views if view.server == platform_name(name)), None))


def of_uuid(uuid: UUID, views: Iterable[ServerView]) -> ServerView:
    """The view of the server with that UUID.

    Raises:
        ServerNotFound: there is none.
    """
    for view in views:
        if view.speaking and view.speaking.workload.record.uuid == uuid:
            return view
    raise ServerNotFound(
        f"No model server has the UUID {uuid}.", hint="`model-deployer list` shows those that there are."
    )


def same(record: Record, wish: Wish) -> bool:
    """Whether a revision is just what is asked for, wherever the wish came from."""
    alike = (record.digest, record.access) == (wish.digest, wish.access)
    return alike and record.config.without_provenance() == wish.config.without_provenance()


def _equivalent(config: ModelServerConfig, view: ServerView) -> tuple[Record, ServerView] | None:
    if view.speaking is None:
        return None
    record = view.speaking.workload.record
    if config.name:
        return (record, view) if record.name == config.name else None
    alike = not record.config.name and record.config.model_name == config.model_name
    return (record, view) if alike and _origin(record.config) == _origin(config) else None


def _origin(config: ModelServerConfig) -> tuple[str, str]:
    provenance = config.provenance or Provenance()
    return provenance.pipeline_name, provenance.pipeline_step_name


def _age(found: tuple[Record, ServerView]) -> tuple[object, str]:
    record, _ = found
    return record.server_created_at, str(record.uuid)


def _taken(record: Record) -> ServerAlreadyExists:
    return ServerAlreadyExists(
        f"A model server named {record.name!r} exists already, with the UUID {record.uuid}.",
        serving=f"It stays as it is, at revision {record.revision}.",
        hint="Deploy with replace=True to make this its next revision, or choose another name.",
    )
