"""What is done before a rollout: the config checked, the model's bytes fetched and pinned."""

import dataclasses
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID

from deployer import provenance
from deployer.config import ModelServerConfig, Provenance
from deployer.environments.prepare import EnvironmentPreparer, build_step
from deployer.environments.store import Environments
from deployer.errors import ModelError, ModelGone
from deployer.images import Images
from deployer.records.record import Environment, HistoryEntry, Record
from deployer.rollout.steps import Action, OnProgress, Progress, Step
from deployer.rollout.wait import UNLIMITED, Deadline
from deployer.rollout.wish import Wish
from deployer.runtimes import runtime_of
from deployer.runtimes.runtime import HERE, Place
from deployer.sources.addresses import require_no_credentials
from deployer.sources.fetching import Terms
from deployer.sources.watch import OnBytes, so_far
from deployer.store import Store


class Preparer:
    """Turns a config into a wish whose bytes are in the model store, and whose Python environment is there.

    Args:
        check: refuses what the flavor cannot fulfil.
        access: the gateway's entry of the token that callers must show.
        place: where it is going to run.
        environments, images: None where the flavor has none.
        copies: puts the platform's own copy of a digest into a folder; None where it keeps none.
    """

    def __init__(
        self,
        store: Store,
        check: Callable[[ModelServerConfig], None],
        access: Callable[[ModelServerConfig], str],
        on_progress: OnProgress,
        place: Place = HERE,
        environments: Environments | None = None,
        images: Images | None = None,
        copies: Callable[[str, Path], bool] | None = None,
    ) -> None:
        self._store = store
        self._check = check
        self._access = access
        self._tell = on_progress
        self._environments = EnvironmentPreparer(environments, on_progress, place)
        self._place = place
        self._images = images
        self._copies = copies

    def new(self, config: ModelServerConfig, replace: bool, deadline: Deadline) -> Wish:
        """A wish for what the config says, its model fetched now, its environment built.

        Args:
            deadline: when it must be here.

        Raises:
            InvalidRequest: it cannot be met; nothing was touched.
            ModelError: the model cannot be had, or not be served.
            SourceUnavailable: where it is cannot be reached.
            RolloutTimeout: it was not here in time, or its environment not built.
        """
        wish = self.planned(config, replace, deadline)
        if wish.environment:
            self._build(wish.environment, wish.config, wish.digest, deadline)
        if self._images:
            model = self._store.path(wish.digest)
            image = self._images.choose(wish.config, wish.launch, model, self._tell, deadline)
            wish = dataclasses.replace(wish, image=image)
        return wish

    def steps(self, wish: Wish) -> list[Step]:
        """What `new` does beyond `planned`."""
        missing = wish.environment and not self._environments.is_here(wish.environment)
        return [build_step(wish.environment)] if wish.environment and missing else []

    def planned(self, config: ModelServerConfig, replace: bool, deadline: Deadline = UNLIMITED) -> Wish:
        """The same as `new` without building anything.

        Args:
            deadline: when the model must be here.

        Raises:
            InvalidRequest, ModelError, SourceUnavailable, RolloutTimeout: as `new`.
        """
        # Not by the config itself: what earlier versions stored has to read.
        require_no_credentials(config.model_uri)
        runtime_of(config.runtime).check_config(config, self._place)
        self._check(config)
        self._access(config)
        self._environments.check_config(config)
        if config.provenance is None:
            config = config.model_copy(update={"provenance": provenance.current()})
        digest = self._fetch(config, deadline)
        request_id = provenance.request_id(config.model_dump_json())
        environment = self._environments.choose(config, self._store.path(digest))
        cause = _deployed_by(config.provenance)
        return self._wish(config, digest, request_id, cause, environment, replace=replace)

    def again(self, uuid: UUID, entry: HistoryEntry, cause: str, request_id: str, deadline: Deadline) -> Wish:
        """A wish for an earlier revision's config, bytes and environment.

        Raises:
            ModelGone: its bytes can no longer be had.
            EnvironmentFailed, RolloutTimeout: its environment was gone, and cannot be built again.
        """
        self._bring_back(entry.number, entry.config, entry.digest, entry.environment, deadline)
        wish = self._wish(
            entry.config, entry.digest, request_id, cause, entry.environment, uuid=uuid, origin=entry.origin
        )
        if self._images is None or entry.image is None:
            return wish
        model = self._store.path(entry.digest)
        image = self._images.bring_back(entry.image, entry.config, model, self._tell, deadline)
        return dataclasses.replace(wish, image=image)

    def build_again(self, record: Record, deadline: Deadline) -> None:
        """Build the environment of a revision if it has one that is gone.

        Raises:
            ModelGone: the bytes that say what belongs into it can no longer be had.
            EnvironmentFailed, RolloutTimeout: it cannot be built again.
        """
        if record.environment and not self._environments.is_here(record.environment):
            self._bring_back(record.revision, record.config, record.digest, record.environment, deadline)

    def fetch_again(self, record: Record, deadline: Deadline) -> None:
        """Bring back what a revision lacks to be started: its environment, else its bytes.

        Raises:
            ModelGone: its URI holds its bytes no longer.
            EnvironmentFailed, RolloutTimeout: its environment cannot be built again.
        """
        if self._environments.is_here(record.environment):
            self._fetch_again(record.revision, record.config, record.digest, deadline)
        self.build_again(record, deadline)

    def _bring_back(
        self, revision: int, config: ModelServerConfig, digest: str, environment: Environment | None, deadline: Deadline
    ) -> None:
        if not self._store.has(digest):
            self._fetch_again(revision, config, digest, deadline)
        if environment:
            self._build(environment, config, digest, deadline)

    def _build(self, environment: Environment, config: ModelServerConfig, digest: str, deadline: Deadline) -> None:
        left_s = None if deadline.until is None else deadline.left_s
        self._environments.build(environment, _name(config), self._store.path(digest), left_s)

    def _wish(
        self,
        config: ModelServerConfig,
        digest: str,
        request_id: str,
        cause: str,
        environment: Environment | None,
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
            launch=runtime.launch(config, self._place),
            request_id=request_id,
            cause=cause,
            replace=replace,
            access=self._access(config),
            uuid=uuid,
            origin=origin,
            environment=environment,
        )

    def _fetch(self, config: ModelServerConfig, deadline: Deadline) -> str:
        with self._told(config, f"the model at {config.model_uri} is copied and hashed") as on_bytes:
            return self._store.add(config.model_uri, Terms(config.credentials, deadline.until, on_bytes))

    def _fetch_again(self, revision: int, config: ModelServerConfig, digest: str, deadline: Deadline) -> None:
        """From the platform's own copy, else from the URI, if what stands there is still the same."""
        if self._copies and self._store.restore(digest, self._copies):
            return
        try:
            found = self._fetch(config, deadline)
        except ModelError as error:
            raise _gone(revision, digest, error.what) from error
        if found != digest:
            raise _gone(revision, digest, f"{config.model_uri} holds another model now.")

    @contextmanager
    def _told(self, config: ModelServerConfig, cause: str) -> Iterator[OnBytes]:
        server, step, began = _name(config), Step(action=Action.FETCH, cause=cause), time.monotonic()
        self._tell(Progress(server, step))
        yield lambda done, total: self._tell(Progress(server, step, detail=so_far(done, total)))
        self._tell(Progress(server, step, time.monotonic() - began))


def _name(config: ModelServerConfig) -> str:
    return config.name or config.model_name


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
