"""Served for a moment, on a real Prefect server."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import FlowRun
from prefect.client.schemas.responses import DeploymentResponse
from prefect.exceptions import ObjectNotFound

import deployer as library
from deployer.flavors.process.deployer import ProcessModelDeployer
from deployer.flavors.process.settings import ProcessSettings
from tests.prefect_server.ended import running
from tests.prefect_server.fixtures import PrefectServer, until_closed
from tests.prefect_server.served import config
from tests.prefect_server.waiting import wait_for

pytestmark = [pytest.mark.xdist_group("prefect"), pytest.mark.timeout(300)]

PROJECT = Path(__file__).parents[2]
DEPLOY, RECONCILE = "deploy-model-server", "reconcile-model-servers"


@pytest.fixture
def deployer(tmp_path: Path) -> Iterator[ProcessModelDeployer]:
    with until_closed(ProcessSettings(state_dir=tmp_path / "state")) as deployer:
        yield deployer


@pytest.fixture
def served(prefect_server: PrefectServer, deployer: ProcessModelDeployer, tmp_path: Path) -> Iterator[None]:
    _forget_all()
    env = prefect_server.env | {"PYTHONPATH": str(PROJECT), "PREFECT_RUNNER_POLL_FREQUENCY": "1"}
    program = ["examples.serve_without_worker", f"state_dir={deployer.state_dir}"]
    with running(program, env, tmp_path / "served.log"):
        yield
    _forget_all()


def _forget_all() -> None:
    with get_client(sync_client=True) as client:
        for one in client.read_deployments():
            client.delete_deployment(one.id)


def deployment(name: str) -> DeploymentResponse | None:
    with get_client(sync_client=True) as client:
        try:
            return client.read_deployment_by_name(f"{name}/{name}")
        except ObjectNotFound:
            return None


def ended(run: FlowRun) -> FlowRun | None:
    with get_client(sync_client=True) as client:
        now = client.read_flow_run(run.id)
    return now if now.state and now.state.is_final() else None


@pytest.mark.usefixtures("served")
def test_without_a_work_pool_a_run_from_the_form_deploys_a_model(
    deployer: ProcessModelDeployer, tmp_path: Path
) -> None:
    found = wait_for(lambda: deployment(DEPLOY), "the flows are served", 60)
    reconcile = wait_for(lambda: deployment(RECONCILE), "reconcile is too")
    assert (found.work_pool_name, [schedule.active for schedule in reconcile.schedules]) == (None, [True])
    wanted = {"config": config(tmp_path).model_dump(mode="json")}
    with get_client(sync_client=True) as client:
        begun = client.create_flow_run_from_deployment(found.id, parameters=found.parameters | wanted)
    run = wait_for(lambda: ended(begun), "the run ends", 120)
    assert run.state
    assert run.state.is_completed(), run.state.message
    (server,) = deployer.find_model_server(running=True)
    assert library.predict(server, [1]) == {"answer": "v1"}
    assert server.provenance.pipeline_run_id == str(run.id)
