"""What is done before a rollout: the config checked, the model's bytes fetched and pinned."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from uuid import UUID

from deployer import provenance
from deployer.config import ModelServerConfig, Provenance
from deployer.errors import ModelError, ModelGone
from deployer.records.record import HistoryEntry, Record
from deployer.rollout.steps import Action, OnProgress, Progress, Step
from deployer.rollout.wish import Wish
from deployer.runtimes import runtime_of
from deployer.store import Store


class Preparer:
    """Turns a config into a wish whose bytes are in the model store.

    Args:
        check: refuses what the flavor cannot fulfil.
        access: the gateway's entry of the token that callers must show.
    """

    def __init__(
        self,
        store: Store,
        check: Callable[[ModelServerConfig], None],
        access: Callable[[ModelServerConfig], str],
        on_progress: OnProgress,
    ) -> None:
        self._store = store
        self._check = check
        self._access = access
        self._tell = on_progress

    def new(self, config: ModelServerConfig, replace: bool) -> Wish:
        """A wish for what the config says, its model fetched now.

        Raises:
            InvalidRequest: it cannot be met; nothing was touched.
            ModelError: the model cannot be had, or not be served.
        """
        runtime_of(config.runtime).check_config(config)
        self._check(config)
        self._access(config)
        if config.provenance is None:
            config = config.model_copy(update={"provenance": provenance.current()})
        digest = self._fetch(config)
        request_id = provenance.request_id(config.model_dump_json())
        return self._wish(config, digest, request_id, _deployed_by(config.provenance), replace=replace)

    def again(self, uuid: UUID, entry: HistoryEntry, cause: str, request_id: str) -> Wish:
        """A wish for an earlier revision's config and bytes.

        Raises:
            ModelGone: its bytes can no longer be had.
        """
        if not self._store.has(entry.digest):
            self._fetch_again(entry.number, entry.config, entry.digest)
        return self._wish(entry.config, entry.digest, request_id, cause, uuid=uuid, origin=entry.origin)

    def fetch_again(self, record: Record) -> None:
        """Bring back the bytes of a revision from its URI.

        Raises:
            ModelGone: its URI holds them no longer.
        """
        self._fetch_again(record.revision, record.config, record.digest)

    def _wish(
        self,
        config: ModelServerConfig,
        digest: str,
        request_id: str,
        cause: str,
        *,
        replace: bool = True,
        uuid: UUID | None = None,
        origin: int | None = None,
    ) -> Wish:
        runtime = runtime_of(config.runtime)
        model_type = runtime.model_type(self._store.path(digest))
        return Wish(
            config=config,
            digest=digest,
            model_type=config.model_type or model_type,
            launch=runtime.launch(config),
            request_id=request_id,
            cause=cause,
            replace=replace,
            access=self._access(config),
            uuid=uuid,
            origin=origin,
        )

    def _fetch(self, config: ModelServerConfig) -> str:
        with self._told(config, f"the model at {config.model_uri} is copied and hashed"):
            return self._store.add(config.model_uri)

    def _fetch_again(self, revision: int, config: ModelServerConfig, digest: str) -> None:
        """From the URI, if what stands there is still the same."""
        try:
            found = self._fetch(config)
        except ModelError as error:
            raise _gone(revision, digest, error.what) from error
        if found != digest:
            raise _gone(revision, digest, f"{config.model_uri} holds another model now.")

    @contextmanager
    def _told(self, config: ModelServerConfig, cause: str) -> Iterator[None]:
        server, step, began = config.name or config.model_name, Step(action=Action.FETCH, cause=cause), time.monotonic()
        self._tell(Progress(server, step))
        yield
        self._tell(Progress(server, step, time.monotonic() - began))


def _deployed_by(origin: Provenance | None) -> str:
    if origin and origin.pipeline_name:
        return f"deployed by the flow {origin.pipeline_name}"
    return "deployed"


def _gone(revision: int, digest: str, why: str) -> ModelGone:
    return ModelGone(
        f"The model of revision {revision} (digest {digest}) can no longer be had: {why}",
        serving="What serves now serves on.",
        hint="Put the same model back at its URI, choose another revision, or deploy a model that can be had.",
    )
