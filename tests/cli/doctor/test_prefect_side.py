"""What is found of a real Prefect server."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import DeploymentScheduleCreate, WorkPoolCreate
from prefect.client.schemas.schedules import IntervalSchedule, RRuleSchedule
from prefect.context import refresh_global_settings_context

from deployer.cli.doctor import prefect_side
from deployer.cli.doctor.examine import examine
from deployer.cli.doctor.finding import Finding, Status
from deployer.cli.session import Session
from deployer.ports import free_port
from tests.prefect_server.ended import running
from tests.prefect_server.fixtures import PrefectServer
from tests.prefect_server.waiting import wait_for

pytestmark = [pytest.mark.xdist_group("prefect"), pytest.mark.timeout(300)]

CHECKS = {"server": prefect_side.server, "scheduler": prefect_side.scheduler, "worker": prefect_side.worker}
POOL = "model-deployers"
OVER = RRuleSchedule(rrule="FREQ=DAILY;UNTIL=20200101T000000Z")
"""As with a scheduler that is dead, no run is ever made."""
EACH_MINUTE = IntervalSchedule(interval=timedelta(minutes=1))


def found(check: str) -> Finding:
    return examine({check: CHECKS[check]}, Session("process"), within_s=20)[check]


@pytest.fixture
def every_schedule_is_old_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prefect_side, "SCHEDULED_WITHIN", timedelta(minutes=-5))


@pytest.fixture
def empty_server(prefect_server: PrefectServer) -> Iterator[PrefectServer]:
    _forget_all()
    yield prefect_server
    _forget_all()


def _forget_all() -> None:
    with get_client(sync_client=True) as client:
        for one in client.read_deployments():
            client.delete_deployment(one.id)
        for pool in client.read_work_pools():
            client.delete_work_pool(pool.name)


def deployment(name: str, schedule: Any, active: bool = True) -> UUID:
    with get_client(sync_client=True) as client:
        flow = client.create_flow_from_name(f"flow of {name}")
        return client.create_deployment(
            flow_id=flow, name=name, schedules=[DeploymentScheduleCreate(schedule=schedule, active=active)]
        )


@contextmanager
def server_set_to(monkeypatch: pytest.MonkeyPatch, url: str) -> Iterator[None]:
    with monkeypatch.context() as patch:
        patch.setenv("PREFECT_API_URL", url)
        refresh_global_settings_context()
        yield
    refresh_global_settings_context()


def test_a_server_that_answers_is_told_with_its_version(prefect_server: PrefectServer) -> None:
    finding = found("server")
    assert (finding.status, prefect_server.api_url in finding.what) == (Status.OK, True)


@pytest.mark.parametrize(
    ("server", "here", "status"),
    [
        ("3.8.8", "3.8.8", Status.OK),
        ("3.9.1", "3.8.8", Status.OK),
        ("3.2.0", "3.8.8", Status.WARN),
        ("2.20.1", "3.8.8", Status.FAIL),
        ("4.0.0", "3.8.8", Status.FAIL),
    ],
)
def test_versions_that_do_not_go_together_are_told(server: str, here: str, status: Status) -> None:
    assert prefect_side.compatible(server, here).status is status


@pytest.mark.usefixtures("prefect_server")
def test_a_server_that_does_not_answer_fails_and_what_hangs_on_it_is_not_looked_at(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with server_set_to(monkeypatch, f"http://127.0.0.1:{free_port()}/api"):
        server, others = found("server"), [found("scheduler"), found("worker")]
    assert (server.status, "does not answer" in server.what) == (Status.FAIL, True)
    assert "prefect server start" in server.hint
    assert others == [prefect_side.NOT_LOOKED_AT, prefect_side.NOT_LOOKED_AT]


@pytest.mark.usefixtures("empty_server", "every_schedule_is_old_enough")
def test_a_scheduler_that_creates_no_runs_fails_and_one_that_does_is_ok() -> None:
    assert found("scheduler").status is Status.INFO
    deployment("paused", EACH_MINUTE, active=False)
    assert found("scheduler").status is Status.INFO
    never = deployment("never", OVER)
    with get_client(sync_client=True) as client:
        client.create_flow_run_from_deployment(never)  # By hand, and late: it tells nothing of the scheduler.
    dead = found("scheduler")
    assert dead.status is Status.FAIL
    assert "never has an active schedule and no run to come" in dead.what
    assert "sqlalchemy<2.1" in dead.hint
    deployment("each minute", EACH_MINUTE)
    wait_for(lambda: found("scheduler").status is Status.OK, "the scheduler has made a run", 90)


@pytest.mark.usefixtures("empty_server")
def test_a_schedule_that_is_new_tells_nothing_yet() -> None:
    deployment("never", OVER)
    assert found("scheduler").status is Status.INFO


def test_a_work_pool_without_a_worker_is_warned_of(empty_server: PrefectServer) -> None:
    missing = found("worker")
    assert (missing.status, "model-deployer init" in missing.hint) == (Status.INFO, True)
    with get_client(sync_client=True) as client:
        client.create_work_pool(WorkPoolCreate(name=POOL, type="process"))
    alone = found("worker")
    assert (alone.status, alone.hint) == (Status.WARN, f"prefect worker start --pool {POOL}")
    worker = ["prefect", "worker", "start", "--pool", POOL]
    with running(worker, empty_server.env, empty_server.home / "doctors-worker.log"):
        wait_for(lambda: found("worker").status is Status.OK, "the worker is seen")
