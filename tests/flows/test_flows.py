import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import deployer as library
from blocks.process_model_deployer import ProcessModelDeployer as ProcessBlock
from deployer.errors import RolloutError, ServerNotFound, StateDirectoryUnusable
from deployer.flavors.process.deployer import ProcessModelDeployer
from deployer.flavors.process.settings import ProcessSettings
from deployer.ports import free_port
from deployer.rollout.steps import Action
from deployer.server import State
from deployer.store import Store
from flows.delete_model_server import delete_model_server
from flows.deploy_model_server import deploy_model_server
from flows.find_model_servers import find_model_servers
from flows.reconcile_model_servers import reconcile_model_servers
from flows.rollback_model_server import rollback_model_server
from flows.start_model_server import start_model_server
from flows.stop_model_server import stop_model_server
from tests.prefect_server.fixtures import until_closed
from tests.prefect_server.published import artifact
from tests.prefect_server.served import config, kill

pytestmark = [pytest.mark.xdist_group("prefect"), pytest.mark.usefixtures("prefect_server")]


@pytest.fixture
def settings(tmp_path: Path) -> ProcessSettings:
    return ProcessSettings(state_dir=tmp_path / "state", gateway_port=free_port())


@pytest.fixture
def deployer(settings: ProcessSettings) -> Iterator[ProcessModelDeployer]:
    with until_closed(settings) as deployer:
        yield deployer


@pytest.fixture
def block(settings: ProcessSettings, deployer: ProcessModelDeployer) -> ProcessBlock:
    return ProcessBlock(**settings.model_dump())


def registry() -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(str(artifact("model-servers").data))
    return rows


def test_a_servers_life_by_flows(block: ProcessBlock, tmp_path: Path) -> None:
    first = deploy_model_server(block, config(tmp_path, "v1"))
    second = deploy_model_server(block, config(tmp_path, "v2"))
    assert (second.uuid, second.revision) == (first.uuid, 2)
    assert "| retire churn-r1 |" in str(artifact("model-server-churn").data)

    back = rollback_model_server(block, "churn")
    assert library.predict(back, [1]) == {"answer": "v1"}
    assert "| Revision | 3 |" in str(artifact("model-server-churn").data)

    assert stop_model_server(block, "churn").state is State.STOPPED
    assert [server.uuid for server in find_model_servers(block)] == [first.uuid]
    (row,) = registry()
    assert (row["name"], row["state"], row["revision"], row["flow"]) == ("churn", "stopped", 3, "deploy-model-server")
    assert find_model_servers(block, running=True) == []

    assert start_model_server(block, str(first.uuid)).state is State.READY
    delete_model_server(block, "churn")
    assert find_model_servers(block) == []
    assert registry() == []


def test_every_filter_of_the_form_filters(block: ProcessBlock, tmp_path: Path) -> None:
    server = deploy_model_server(block, config(tmp_path))
    provenance = server.provenance
    rights: list[dict[str, Any]] = [
        {"model_name": "churn"},
        {"model_uri": server.config.model_uri},
        {"pipeline_name": provenance.pipeline_name},
        {"pipeline_run_id": provenance.pipeline_run_id},
        {"pipeline_step_name": provenance.pipeline_step_name},
    ]
    for right in rights:
        assert len(find_model_servers(block, **right)) == 1
        assert find_model_servers(block, **_others(right)) == []
    assert find_model_servers(block, model_type="another") == []


def _others(filters: dict[str, Any]) -> dict[str, Any]:
    return dict.fromkeys(filters, "another")


def test_reconcile_says_what_it_did_and_publishes_the_registry(
    block: ProcessBlock, deployer: ProcessModelDeployer, tmp_path: Path
) -> None:
    deployer.deploy_model(config(tmp_path, "v1", mode="exit", name="never"), timeout=0)
    deployer.deploy_model(config(tmp_path, "v2", name="sound"))
    (changed,) = reconcile_model_servers(block).changed
    assert (changed.name, [done.step.action for done in changed.steps]) == ("never", [Action.CLOSE])
    assert {row["name"]: row["state"] for row in registry()} == {"sound": "ready", "never": "failed"}


def test_reconcile_fails_by_the_name_of_what_it_could_not_bring_back(
    block: ProcessBlock, deployer: ProcessModelDeployer, tmp_path: Path
) -> None:
    deployer.deploy_model(config(tmp_path, "v2", name="sound"))
    lost = deployer.deploy_model(config(tmp_path, "v1", name="lost"))
    kill(deployer, lost)
    shutil.rmtree(lost.config.model_uri)
    shutil.rmtree(deployer.store.path(lost.digest))
    with pytest.raises(RolloutError, match="1 of 2 model servers") as caught:
        reconcile_model_servers(block)
    assert "lost: " in str(caught.value)
    assert "sound" not in str(caught.value)
    assert {row["name"]: row["state"] for row in registry()} == {"sound": "ready", "lost": "failed"}


def test_reconcile_fails_by_what_went_wrong_beside_the_servers_too(
    block: ProcessBlock, deployer: ProcessModelDeployer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise StateDirectoryUnusable("The model store is full.")

    deployer.deploy_model(config(tmp_path, "v1"))
    monkeypatch.setattr(Store, "collect", full)
    with pytest.raises(RolloutError, match="0 of 1 model servers") as caught:
        reconcile_model_servers(block)
    assert "What is left over was not removed: The model store is full." in str(caught.value)
    assert [row["state"] for row in registry()] == ["ready"]


def test_a_reference_does_as_well_and_an_unknown_one_is_a_typed_error(
    block: ProcessBlock, deployer: ProcessModelDeployer
) -> None:
    block.save("of-a-flow", overwrite=True, _sync=True)  # type: ignore[call-arg]
    assert find_model_servers("process-model-deployer/of-a-flow") == []
    with pytest.raises(ServerNotFound, match="nobody"):
        stop_model_server("process-model-deployer/of-a-flow", "nobody")
