from pathlib import Path

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import State, StateType
from prefect.exceptions import PrefectHTTPStatusError

import deployer as library
from deployer.config import ModelServerConfig
from deployer.engine import Phase
from deployer.records.names import platform_name
from deployer.server import ModelServer
from deployer.server import State as ServerState
from tests.flows.conftest import PROJECT, Deployed
from tests.prefect_server.published import artifact
from tests.prefect_server.served import config, kill
from tests.prefect_server.waiting import wait_for

pytestmark = [pytest.mark.xdist_group("prefect"), pytest.mark.timeout(300)]

NO_FLOWS = {"model_server_artifacts"}


def as_json(wanted: ModelServerConfig) -> object:
    return wanted.model_dump(mode="json")


def server_named(deployed: Deployed, name: str) -> ModelServer:
    (server,) = (s for s in deployed.deployer.find_model_server() if s.name == name)
    return server


def revisions_of(deployed: Deployed, server: str) -> set[int]:
    return {workload.revision for workload in deployed.deployer.engine.list(server)}


def test_a_killed_server_is_healed_by_the_schedule(deployed: Deployed, tmp_path: Path) -> None:
    server = deployed.deployer.deploy_model(config(tmp_path, model_name="killed"))
    kill(deployed.deployer, server)
    wait_for(lambda: server_named(deployed, "killed").state is ServerState.FAILED, "the server is seen to have failed")
    wait_for(lambda: server_named(deployed, "killed").state is ServerState.READY, "a scheduled run heals it", 150)
    healed = server_named(deployed, "killed")
    assert (healed.uuid, healed.url, healed.revision) == (server.uuid, server.url, 1)
    assert library.predict(healed, [1]) == {"answer": "v1"}


def test_every_flow_has_a_deployment_that_names_the_default_block_by_reference(deployed: Deployed) -> None:
    modules = {path.stem for path in (PROJECT / "flows").glob("*.py")} - NO_FLOWS
    assert len(modules) == 7
    for module in modules:
        deployment = deployed.deployment(module.replace("_", "-"))
        assert deployment.entrypoint == f"flows.{module}.{module}"
        assert deployment.parameters == {
            "deployer": {"$ref": {"block_document_slug": "process-model-deployer/default"}}
        }
        assert deployment.pull_steps == []


def test_reconcile_runs_each_minute_and_never_twice_at_once(deployed: Deployed) -> None:
    deployment = deployed.deployment("reconcile-model-servers")
    (schedule,) = deployment.schedules
    assert schedule.active
    assert schedule.schedule.interval.total_seconds() == 60  # type: ignore[union-attr]
    assert deployment.global_concurrency_limit
    assert deployment.global_concurrency_limit.limit == 1
    assert deployment.concurrency_options
    assert deployment.concurrency_options.collision_strategy == "CANCEL_NEW"
    assert deployment.parameter_openapi_schema
    assert deployment.parameter_openapi_schema["properties"]["timeout"]["default"] == 50


def test_a_run_created_with_a_reference_deploys_and_publishes_the_card(deployed: Deployed, tmp_path: Path) -> None:
    run = deployed.run("deploy-model-server", config=as_json(config(tmp_path, model_name="Great Churn")))
    assert run.state
    assert run.state.is_completed(), run.state.message
    server = server_named(deployed, "Great Churn")
    assert library.predict(server, [1]) == {"answer": "v1"}
    assert server.provenance.pipeline_run_id == str(run.id)
    card = str(artifact(f"model-server-{platform_name('Great Churn')}").data)
    for fact in (server.url, server.digest, str(run.id), "curl", "requests.post", "revision 1 is ready"):
        assert fact in card


def test_a_failed_deploy_says_why_in_the_state_of_its_run(deployed: Deployed, tmp_path: Path) -> None:
    before = deployed.deployer.deploy_model(config(tmp_path, name="sound"))
    broken = config(tmp_path, "v2", "exit", name="sound")
    run = deployed.run("deploy-model-server", config=as_json(broken))
    assert run.state
    assert run.state.is_failed()
    assert "cannot load model" in (run.state.message or "")
    assert library.predict(before, [1]) == {"answer": "v1"}


def test_a_cancelled_deploy_never_goes_live(deployed: Deployed, tmp_path: Path) -> None:
    before = deployed.deployer.deploy_model(config(tmp_path, name="kept"))
    hanging = config(tmp_path, "v2", "hang", name="kept")
    run = deployed.begin("deploy-model-server", config=as_json(hanging))
    wait_for(lambda: revisions_of(deployed, "kept") == {1, 2}, "the second revision is on its way")
    with get_client(sync_client=True) as client:
        client.set_flow_run_state(run.id, State(type=StateType.CANCELLING))
    ended = deployed.end_of(run)
    assert ended.state
    assert ended.state.is_cancelled()
    assert [w.revision for w in deployed.deployer.engine.list("kept") if w.phase is Phase.RUNNING] == [1]
    deployed.deployer.reconcile()
    assert server_named(deployed, "kept").revision == 1
    assert library.predict(before, [1]) == {"answer": "v1"}


def test_an_unknown_field_is_refused_before_there_is_a_run(deployed: Deployed) -> None:
    with pytest.raises(PrefectHTTPStatusError, match="model_nmae"):
        deployed.begin("deploy-model-server", config={"model_uri": "x", "model_nmae": "y"})
