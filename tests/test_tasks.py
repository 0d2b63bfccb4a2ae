from collections.abc import Iterator
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from prefect import flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import LogFilter, LogFilterFlowRunId
from prefect.runtime import flow_run

import deployer
from blocks.process_model_deployer import ProcessModelDeployer as ProcessBlock
from deployer import tasks
from deployer.base import BaseModelDeployer
from deployer.config import ModelServerConfig
from deployer.errors import EngineUnavailable, GatewayDown, RevisionRefused, ServerNotFound, Unsupported
from deployer.flavors.process.deployer import ProcessModelDeployer
from deployer.flavors.process.settings import ProcessSettings
from deployer.rollout.steps import Progress, ignore
from deployer.server import ModelServer, State
from deployer.testing.faults import Failure, befall, nth
from deployer.testing.models import write_model
from tests.prefect_server.served import config
from tests.prefect_server.waiting import wait_for

pytestmark = [pytest.mark.xdist_group("prefect"), pytest.mark.usefixtures("prefect_server")]


class SixMethods(BaseModelDeployer):
    """A third party's deployer, whose platform cannot be reached, or refuses, for a while."""

    FLAVOR = "six"
    SETTINGS = ProcessSettings

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.asked = 0

    def find_model_server(self, *_: object, **__: object) -> list[ModelServer]:
        self.asked += 1
        if self.errors:
            raise self.errors.pop(0)
        return []

    def deploy_model(self, config: ModelServerConfig, replace: bool = False, timeout: int = 300) -> ModelServer:
        raise NotImplementedError

    def stop_model_server(self, uuid: UUID, timeout: int = 300, force: bool = False) -> None:
        raise NotImplementedError

    def start_model_server(self, uuid: UUID, timeout: int = 300) -> None:
        raise NotImplementedError

    def delete_model_server(self, uuid: UUID, timeout: int = 300, force: bool = False) -> None:
        raise NotImplementedError


find_at_once = tasks.find_model_servers.with_options(retry_delay_seconds=0.05)


def test_what_is_transient_is_retried() -> None:
    shaky = SixMethods(EngineUnavailable("It is away."), EngineUnavailable("It is away."))
    assert find_at_once(shaky) == []
    assert shaky.asked == 3


def test_retries_end_and_back_off_and_none_is_cached() -> None:
    gone = SixMethods(*[EngineUnavailable("It is away.")] * 9)
    with pytest.raises(EngineUnavailable):
        find_at_once(gone)
    assert gone.asked == 1 + tasks.RETRIES
    assert tasks.deploy_model.retry_delay_seconds == [2, 4, 8]
    assert tasks.deploy_model.retry_jitter_factor


def test_what_is_permanent_fails_at_once_with_its_message_in_the_state() -> None:
    gone = SixMethods(ServerNotFound("There is no such platform.", hint="Build one."))
    state = tasks.find_model_servers(gone, return_state=True)
    assert state.is_failed()
    assert gone.asked == 1
    assert "There is no such platform.\nBuild one." in (state.message or "")


def test_a_deployer_of_six_methods_says_what_it_cannot_do() -> None:
    with pytest.raises(Unsupported, match="six cannot reconcile"):
        tasks.reconcile(SixMethods())


def test_a_servers_life_by_name_and_by_uuid(process_deployer: ProcessModelDeployer, tmp_path: Path) -> None:
    first = tasks.deploy_model(config(tmp_path, "v1"), process_deployer)
    second = tasks.deploy_model(config(tmp_path, "v2"), process_deployer)
    assert (second.uuid, second.url, second.revision) == (first.uuid, first.url, 2)
    assert deployer.predict(second, [1]) == {"answer": "v2"}

    back = tasks.rollback_model_server("churn", process_deployer)
    assert deployer.predict(back, [1]) == {"answer": "v1"}

    assert tasks.stop_model_server(str(first.uuid), process_deployer).state is State.STOPPED
    assert tasks.start_model_server("churn", process_deployer).state is State.READY
    assert tasks.find_model_servers(process_deployer, running=True, model_name="churn")[0].uuid == first.uuid
    assert not tasks.reconcile(process_deployer).failed

    tasks.delete_model_server(first, process_deployer)
    assert tasks.find_model_servers(process_deployer) == []


def test_an_unknown_server_is_named_beside_those_that_there_are(process_deployer: ProcessModelDeployer) -> None:
    with pytest.raises(ServerNotFound, match="There is no model server 'nobody'"):
        tasks.stop_model_server("nobody", process_deployer)
    with pytest.raises(ServerNotFound):
        tasks.delete_model_server(uuid4(), process_deployer)
    tasks.delete_model_server("nobody", process_deployer, force=True)


@pytest.fixture
def block(process_deployer: ProcessModelDeployer) -> Iterator[ProcessBlock]:
    block = ProcessBlock(state_dir=process_deployer.state_dir)
    block.save("of-a-task", overwrite=True, _sync=True)  # type: ignore[call-arg]
    yield block


def test_a_block_and_a_reference_do_as_well(
    block: ProcessBlock, process_deployer: ProcessModelDeployer, tmp_path: Path
) -> None:
    server = tasks.deploy_model(config(tmp_path), process_deployer)
    for given in (block, "process-model-deployer/of-a-task"):
        assert [found.uuid for found in tasks.find_model_servers(given)] == [server.uuid]


def test_a_flow_run_that_is_retried_continues_its_own_revision(
    process_deployer: ProcessModelDeployer, tmp_path: Path
) -> None:
    @flow(retries=1)
    def fails_after_its_first_deploy() -> ModelServer:
        server = tasks.deploy_model(config(tmp_path), process_deployer, replace=False)
        if flow_run.run_count == 1:
            raise ConnectionError("whatever comes after the deploy")
        return server

    server = fails_after_its_first_deploy()
    (only,) = process_deployer.find_model_server()
    assert (only.uuid, only.name, only.revision) == (server.uuid, "churn", 1)


@pytest.mark.parametrize("in_a_flow", [True, False])
def test_a_task_that_is_retried_continues_its_own_revision(
    process_deployer: ProcessModelDeployer, tmp_path: Path, in_a_flow: bool
) -> None:
    lost = Failure(nth("gateway.acknowledge"), GatewayDown("It went just then."))
    deploy_at_once = tasks.deploy_model.with_options(retry_delay_seconds=0.05)

    def deploy() -> ModelServer:
        return deploy_at_once(config(tmp_path), befall(process_deployer, lost), replace=False)

    server = flow(deploy)() if in_a_flow else deploy()
    assert lost.befell
    (only,) = process_deployer.find_model_server()
    assert (only.uuid, only.name, only.revision, only.state) == (server.uuid, "churn", 1, State.READY)


def test_a_flow_run_that_is_retried_after_a_refusal_serves_as_the_same_server(
    process_deployer: ProcessModelDeployer, tmp_path: Path
) -> None:
    @flow(retries=1)
    def trains_better_the_second_time() -> ModelServer:
        config_now = config(tmp_path, mode="exit")
        if flow_run.run_count == 2:
            write_model(Path(config_now.model_uri), "v1")
        return tasks.deploy_model(config_now, process_deployer, replace=False)

    server = trains_better_the_second_time()
    (only,) = process_deployer.find_model_server()
    assert (only.uuid, only.name, only.revision, only.state) == (server.uuid, "churn", 2, State.READY)


def test_provenance_is_the_run(process_deployer: ProcessModelDeployer, tmp_path: Path) -> None:
    runs: list[str] = []

    @flow(name="training")
    def training() -> ModelServer:
        runs.append(str(flow_run.id))
        return tasks.deploy_model(config(tmp_path), process_deployer)

    provenance = training().provenance
    assert (provenance.pipeline_name, provenance.pipeline_step_name) == ("training", "deploy_model")
    assert [provenance.pipeline_run_id] == runs


def test_a_refused_revision_fails_the_run_with_its_log_and_what_still_serves(
    process_deployer: ProcessModelDeployer, tmp_path: Path
) -> None:
    server = tasks.deploy_model(config(tmp_path, "v1"), process_deployer)
    state = tasks.deploy_model(config(tmp_path, "v2", mode="exit"), process_deployer, return_state=True)
    refusal = state.result(raise_on_failure=False)
    assert isinstance(refusal, RevisionRefused)
    assert str(refusal) in (state.message or "")
    assert "cannot load model" in (state.message or "")
    assert deployer.predict(server, [1]) == {"answer": "v1"}


def test_each_step_is_in_the_runs_log_with_its_cause(process_deployer: ProcessModelDeployer, tmp_path: Path) -> None:
    told: list[Progress] = []
    process_deployer.on_progress = told.append

    @flow
    def deploying() -> str:
        tasks.deploy_model(config(tmp_path), process_deployer)
        return str(flow_run.id)

    run_id = deploying()
    steps = {f"{progress.server}: {progress.step}: {progress.step.cause}" for progress in told}
    assert any("route" in step for step in steps), "whoever listened before is told too"
    wait_for(lambda: steps <= logged(run_id), f"{steps} are logged", within_s=20)


def logged(run_id: str) -> set[str]:
    with get_client(sync_client=True) as client:
        lines = client.read_logs(LogFilter(flow_run_id=LogFilterFlowRunId(any_=[UUID(run_id)])))
    return {line.message for line in lines}


def test_listeners_come_and_go_in_any_order(process_deployer: ProcessModelDeployer, tmp_path: Path) -> None:
    process_deployer.on_progress = ignore
    first: list[Progress] = []
    second: list[Progress] = []
    one, other = (tasks.steps_told(process_deployer, told.append) for told in (first, second))
    one.__enter__()
    other.__enter__()
    one.__exit__(None, None, None)
    process_deployer.deploy_model(config(tmp_path), replace=True)
    other.__exit__(None, None, None)
    process_deployer.deploy_model(config(tmp_path, "v2"), replace=True)
    assert first == []
    assert {progress.step.ref.revision for progress in second if progress.step.ref} == {1}
