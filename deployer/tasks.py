"""The Prefect tasks, for flows of one's own.

Each takes a deployer, a model deployer's Block, or a reference as `deployer.load` takes it; where a server
is meant, its name or its UUID. What is `Transient` is retried, with back-off; any other error fails the task
at once. Every step is logged with its cause. A retry of a run continues what the run had begun.
"""

import unicodedata
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol, runtime_checkable
from uuid import UUID

from prefect import State, Task, task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import TaskRun
from prefect.logging import get_run_logger
from prefect.tasks import exponential_backoff

from deployer.base import BaseModelDeployer
from deployer.config import ModelServerConfig
from deployer.engine_deployer import EngineModelDeployer
from deployer.errors import ServerNotFound, Transient, Unsupported
from deployer.references import load
from deployer.rollout.reconcile import Report
from deployer.rollout.steps import NowAndThen, OnProgress, Progress
from deployer.server import ModelServer

RETRIES = 3
FIRST_RETRY_AFTER_S = 2
JITTER = 0.5


@runtime_checkable
class GivesDeployer(Protocol):
    """What a model deployer's Block does."""

    def get_deployer(self) -> BaseModelDeployer: ...


AnyDeployer = BaseModelDeployer | GivesDeployer | str
AnyServer = ModelServer | UUID | str


def _is_transient(_task: Task[..., Any], _run: TaskRun, state: State[Any]) -> bool:
    return isinstance(state.result(raise_on_failure=False), Transient)


_retried = task(
    retries=RETRIES,
    retry_delay_seconds=exponential_backoff(FIRST_RETRY_AFTER_S),
    retry_jitter_factor=JITTER,
    retry_condition_fn=_is_transient,
    cache_policy=NO_CACHE,
)


@_retried
def deploy_model(
    config: ModelServerConfig, deployer: AnyDeployer = "process", replace: bool = True, timeout: int = 300
) -> ModelServer:
    """Put a model behind its URL; by default as the next revision of the server that it has already."""
    with _logged(deployer) as one:
        return one.deploy_model(config, replace, timeout)


@_retried
def find_model_servers(
    deployer: AnyDeployer = "process",
    running: bool = False,
    service_uuid: UUID | None = None,
    pipeline_name: str | None = None,
    pipeline_run_id: str | None = None,
    pipeline_step_name: str | None = None,
    model_name: str | None = None,
    model_uri: str | None = None,
    model_type: str | None = None,
) -> list[ModelServer]:
    """All model servers that match every filter given, newest first."""
    return deployer_of(deployer).find_model_server(
        running=running,
        service_uuid=service_uuid,
        pipeline_name=pipeline_name,
        pipeline_run_id=pipeline_run_id,
        pipeline_step_name=pipeline_step_name,
        model_name=model_name,
        model_uri=model_uri,
        model_type=model_type,
    )


@_retried
def start_model_server(server: AnyServer, deployer: AnyDeployer = "process", timeout: int = 300) -> ModelServer:
    """Start a stopped or failed server; it, once it serves."""
    with _logged(deployer) as one:
        uuid = server_of(one, server).uuid
        one.start_model_server(uuid, timeout)
        return server_of(one, uuid)


@_retried
def stop_model_server(
    server: AnyServer, deployer: AnyDeployer = "process", timeout: int = 300, force: bool = False
) -> ModelServer:
    """Stop a server, which keeps all it needs to start again; it, once it has stopped."""
    with _logged(deployer) as one:
        uuid = server_of(one, server).uuid
        one.stop_model_server(uuid, timeout, force)
        return server_of(one, uuid)


@_retried
def delete_model_server(
    server: AnyServer, deployer: AnyDeployer = "process", timeout: int = 300, force: bool = False
) -> None:
    """Remove a server for good; with `force` an unknown one is no error."""
    with _logged(deployer) as one:
        try:
            uuid = server_of(one, server).uuid
        except ServerNotFound:
            if force:
                return
            raise
        one.delete_model_server(uuid, timeout, force)


@_retried
def rollback_model_server(
    server: AnyServer, deployer: AnyDeployer = "process", revision: int | None = None, timeout: int = 300
) -> ModelServer:
    """Serve an earlier revision again: the given one, or the last that served before the present one."""
    with _logged(deployer) as one:
        return _engine_deployer(one, "roll back").rollback(server_of(one, server).uuid, revision, timeout)


@_retried
def reconcile(deployer: AnyDeployer = "process", timeout: int = 300) -> Report:
    """Bring every server to what it should be; what could not be done stands in the report."""
    with _logged(deployer) as one:
        return _engine_deployer(one, "reconcile").reconcile(timeout)


def deployer_of(given: AnyDeployer) -> BaseModelDeployer:
    """The deployer that is given, or named.

    Raises:
        DeployerError: as `deployer.load` does.
    """
    if isinstance(given, BaseModelDeployer):
        return given
    return load(given) if isinstance(given, str) else given.get_deployer()


def server_of(deployer: BaseModelDeployer, wanted: AnyServer) -> ModelServer:
    """The server as it is now, by its UUID or name.

    Raises:
        ServerNotFound: there is none.
    """
    key = str(wanted.uuid) if isinstance(wanted, ModelServer) else unicodedata.normalize("NFC", str(wanted))
    servers = deployer.find_model_server()
    for server in servers:
        if key in (server.name, str(server.uuid)):
            return server
    names = ", ".join(sorted(server.name for server in servers)) or "none"
    raise ServerNotFound(f"There is no model server {key!r}.", hint=f"There are: {names}. Give a name or a UUID.")


@contextmanager
def steps_told(deployer: BaseModelDeployer, listener: OnProgress) -> Iterator[None]:
    """Tell the listener of the deployer's steps too; whoever was told before goes on being told."""
    if not isinstance(deployer, EngineModelDeployer):
        yield
        return
    if not isinstance(deployer.on_progress, _Listeners):
        deployer.on_progress = _Listeners(deployer.on_progress)
    listeners = deployer.on_progress
    listeners.all.append(listener)
    try:
        yield
    finally:
        listeners.all.remove(listener)


class _Listeners:
    """Several listeners as one; tasks that share a deployer come and go in any order."""

    def __init__(self, first: OnProgress) -> None:
        self.all = [first]

    def __call__(self, progress: Progress) -> None:
        for listener in tuple(self.all):
            listener(progress)


@contextmanager
def _logged(given: AnyDeployer) -> Iterator[BaseModelDeployer]:
    """The deployer, its steps written to the run's log."""
    deployer = deployer_of(given)
    with steps_told(deployer, _log_to(get_run_logger().info)):
        yield deployer


def _log_to(info: Callable[..., None]) -> OnProgress:
    def log(progress: Progress) -> None:
        if progress.seconds is None:
            info("%s: %s: %s", progress.server, progress.step, progress.detail or progress.step.cause)
        else:
            info("%s: %s: done in %.2f s", progress.server, progress.step, progress.seconds)

    return NowAndThen(log)


def _engine_deployer(deployer: BaseModelDeployer, wish: str) -> EngineModelDeployer:
    if isinstance(deployer, EngineModelDeployer):
        return deployer
    raise Unsupported(
        f"The deployer {deployer.FLAVOR} cannot {wish}: it fulfils the six methods of the contract alone.",
        hint="Derive it from EngineModelDeployer, which offers that for any engine.",
    )
