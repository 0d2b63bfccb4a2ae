"""Checks of the Prefect server."""

from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from deployer.cli.doctor.finding import Finding, fail, info, ok, warn
from deployer.cli.session import Session
from deployer.cli.setup.prefect_server import HOW_TO_GET_ONE, api_url, prefect_client, shown_url
from deployer.cli.setup.shipped import deployments_in, shipped
from deployer.errors import DeployerError

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient
    from prefect.client.schemas.responses import DeploymentResponse

ANSWERS_WITHIN_S = 3.0
SCHEDULED_WITHIN = timedelta(minutes=3)
PAGE, PAGES = 200, 5
NOT_LOOKED_AT = info("Not looked at: no Prefect server is set, or it does not answer.")


def server(session: Session) -> Finding:
    """Whether the Prefect server answers, and is one that we can talk to."""
    if not api_url():
        return info("No Prefect server is set; serving models needs none.", HOW_TO_GET_ONE)
    with prefect_client(ANSWERS_WITHIN_S, retries=0) as client:
        if error := client.api_healthcheck():
            raise error
        return compatible(client.api_version(), client.client_version())


def scheduler(session: Session) -> Finding:
    """Whether the server's scheduler creates runs; where it died, only the server's own log says so."""
    try:
        with _answering() as client:
            return _scheduled(client)
    except DeployerError:
        return NOT_LOOKED_AT


def worker(session: Session) -> Finding:
    """Whether anybody carries out the runs of the shipped deployments."""
    from prefect.exceptions import ObjectNotFound

    pool = deployments_in(shipped())[0].work_pool
    try:
        with _answering() as client:
            workers = client.read_workers_for_work_pool(client.read_work_pool(pool).name)
    except ObjectNotFound:
        return info(f"There is no work pool {pool}.", "`model-deployer init` makes it, and the deployments.")
    except DeployerError:
        return NOT_LOOKED_AT
    online = [one.name for one in workers if str(one.status.value).upper() == "ONLINE"]
    if online:
        return ok(f"Workers of the pool {pool} that answer: {', '.join(online)}.")
    return warn(f"No worker of the pool {pool} answers, so nothing is run.", f"prefect worker start --pool {pool}")


def compatible(of_server: str, of_client: str) -> Finding:
    """Whether a server and a client of those versions understand one another."""
    from packaging.version import Version

    theirs, ours, where = Version(of_server), Version(of_client), shown_url()
    if theirs.major != ours.major:
        return fail(
            f"The Prefect server at {where} is {theirs}, Prefect here is {ours}: they do not understand one another.",
            f"Use a server of version {ours.major}.",
        )
    if theirs < ours:
        what = f"The Prefect server at {where} is {theirs}, older than Prefect here, {ours}."
        return warn(what, "Upgrade the server first.")
    return ok(f"The Prefect server at {where} answers: {theirs}; here is {ours}.")


def _answering() -> "AbstractContextManager[SyncPrefectClient]":
    if not api_url():
        raise DeployerError("no server is set")
    return prefect_client(ANSWERS_WITHIN_S, retries=0)


def _scheduled(client: "SyncPrefectClient") -> Finding:
    from prefect.client.schemas import filters
    from prefect.client.schemas.objects import StateType

    now = datetime.now(UTC)
    due = [one for one in _deployments(client) if _has_been_scheduled_since(one, now - SCHEDULED_WITHIN)]
    if not due:
        return info("No active schedule is old enough to tell whether the server's scheduler works.")
    coming = filters.FlowRunFilter(
        deployment_id=filters.FlowRunFilterDeploymentId(any_=[one.id for one in due]),
        state=filters.FlowRunFilterState(type=filters.FlowRunFilterStateType(any_=[StateType.SCHEDULED])),
        next_scheduled_start_time=filters.FlowRunFilterNextScheduledStartTime(after_=now),
    )
    if client.read_flow_runs(flow_run_filter=coming, limit=1):
        return ok("The server's scheduler creates runs.")
    return fail(
        f"{due[0].name} has an active schedule and no run to come: the server's scheduler does not work.",
        "See the server's own log. With SQLAlchemy 2.1 or later it dies silently: in the server's environment "
        "`pip install 'sqlalchemy<2.1'`, then start the server again.",
    )


def _deployments(client: "SyncPrefectClient") -> "list[DeploymentResponse]":
    found: list[DeploymentResponse] = []
    for page in range(PAGES):
        some = client.read_deployments(limit=PAGE, offset=page * PAGE)
        found += some
        if len(some) < PAGE:
            break
    return found


def _has_been_scheduled_since(one: "DeploymentResponse", moment: datetime) -> bool:
    if one.paused:
        return False
    begun = [schedule.updated or schedule.created or one.updated for schedule in one.schedules if schedule.active]
    return any(when is not None and when <= moment for when in begun)
