"""What this library cannot read, as a newer one's: nothing of it is touched, and nobody is told a lie about it."""

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import UUID

import pytest

from deployer import provenance
from deployer.config import ModelServerConfig, Provenance
from deployer.engine import Launch
from deployer.engine_deployer import EngineModelDeployer
from deployer.errors import EngineError
from deployer.flavors.memory.platform import Stored
from deployer.gateway import Backend, Route
from deployer.server import ModelServer, State
from deployer.shelf import UNTOUCHED_S
from deployer.testing.memory import MemoryHarness
from deployer.testing.models import write_model
from tests.support import meddling

OPERATIONS: dict[str, Callable[[EngineModelDeployer, UUID], None]] = {
    "stop": lambda deployer, uuid: deployer.stop_model_server(uuid),
    "kill": lambda deployer, uuid: deployer.stop_model_server(uuid, force=True),
    "delete": lambda deployer, uuid: deployer.delete_model_server(uuid),
    "delete by force": lambda deployer, uuid: deployer.delete_model_server(uuid, force=True),
    "start": lambda deployer, uuid: deployer.start_model_server(uuid),
}


@pytest.fixture
def harness(tmp_path: Path) -> MemoryHarness:
    return MemoryHarness(tmp_path)


@pytest.fixture
def in_a_flow(monkeypatch: pytest.MonkeyPatch) -> None:
    """One flow run and task, so that what is asked for twice is a retry."""
    run = Provenance(pipeline_name="train", pipeline_run_id="run-1", pipeline_step_name="deploy")
    monkeypatch.setattr(provenance, "current", lambda: run)


@pytest.fixture
def server(harness: MemoryHarness) -> ModelServer:
    """It was replaced by a newer library: the old revision is still there, the route names the new one."""
    server = harness.deployer().deploy_model(harness.config("v1"))
    replace_by_a_newer_library(harness)
    return server


def replace_by_a_newer_library(harness: MemoryHarness) -> None:
    deployer = harness.deployer()
    deployer.platform.workloads["churn", 2] = Stored("{}", Launch(argv=(), readiness_path=""), "theirs", "churn")
    tag = deployer.gateway.routes()["churn"].tag
    deployer.gateway.write("churn", (Backend(2, "memory://churn-r2"),), 2, tag)


@pytest.fixture
def route(harness: MemoryHarness, server: ModelServer) -> Iterator[Route]:
    """It stands as it was."""
    before = harness.deployer().gateway.routes()["churn"]
    yield before
    assert harness.deployer().gateway.routes()["churn"] == before


@pytest.mark.usefixtures("route")
def test_what_serves_is_said_to_be_unknown_and_nothing_is_planned(harness: MemoryHarness, server: ModelServer) -> None:
    (found,) = harness.deployer().find_model_server()
    assert (found.uuid, found.state) == (server.uuid, State.UNKNOWN) and "cannot be read" in found.message
    assert harness.deployer().reconcile().changed == ()
    assert [workload.revision for workload in harness.deployer().engine.list()] == [1]


@pytest.mark.usefixtures("server", "route")
def test_nothing_is_deployed_over_it(harness: MemoryHarness) -> None:
    config = harness.config("v3")
    with pytest.raises(EngineError, match="cannot be read"):
        harness.deployer().deploy_model(config, replace=True)
    with pytest.raises(EngineError, match="cannot be read"):
        harness.deployer().plan(config)


@pytest.mark.usefixtures("route")
@pytest.mark.parametrize("operation", OPERATIONS)
def test_nobody_is_told_that_what_answers_was_stopped_deleted_or_started(
    harness: MemoryHarness, server: ModelServer, operation: str
) -> None:
    with pytest.raises(EngineError, match="churn leads to cannot be read"):
        OPERATIONS[operation](harness.deployer(), server.uuid)
    assert [workload.revision for workload in harness.deployer().engine.list()] == [1]


def test_a_start_of_what_is_on_its_way_over_it_says_so_at_once(harness: MemoryHarness) -> None:
    server = on_its_way_over_it(harness, harness.config("v2", delay_s=30))
    with pytest.raises(EngineError, match="churn leads to cannot be read"):
        harness.deployer().start_model_server(server.uuid, timeout=2)


@pytest.mark.usefixtures("in_a_flow")
@pytest.mark.parametrize("replace", [True, False])
def test_a_retry_neither_goes_on_nor_begins_anew_over_it(harness: MemoryHarness, replace: bool) -> None:
    on_its_way_over_it(harness, config := harness.config("v2", delay_s=30))
    with pytest.raises(EngineError, match="churn leads to cannot be read"):
        harness.deployer().deploy_model(config, replace=replace, timeout=2)
    write_model(Path(config.model_uri), "better")
    with pytest.raises(EngineError, match="churn leads to cannot be read"):
        harness.deployer().deploy_model(config, replace=replace, timeout=2)
    assert [workload.revision for workload in harness.deployer().engine.list()] == [2]


@pytest.mark.usefixtures("route")
def test_as_a_superseded_server_it_is_left_alone(harness: MemoryHarness, server: ModelServer) -> None:
    harness.deployer().deploy_model(harness.config("v1"))
    harness.deployer().deploy_model(harness.config("v2"), replace=True)
    found = harness.deployer().find_model_server()
    assert [(s.name, s.state) for s in found] == [("churn-2", State.READY), ("churn", State.UNKNOWN)]
    assert server.uuid == found[1].uuid


def test_what_comes_during_a_delete_keeps_its_route(harness: MemoryHarness) -> None:
    deployer = harness.deployer()
    server = deployer.deploy_model(harness.config("v1"))
    meddling.before(deployer.engine, "delete", lambda: replace_by_a_newer_library(harness))
    deployer.delete_model_server(server.uuid)
    assert deployer.engine.list() == []
    assert deployer.gateway.routes()["churn"].names(2)


def on_its_way_over_it(harness: MemoryHarness, config: ModelServerConfig) -> ModelServer:
    """The record of what serves was spoilt while a new revision was on its way."""
    deployer = harness.deployer()
    deployer.deploy_model(harness.config("v1"))
    server = deployer.deploy_model(config, replace=True, timeout=0)
    deployer.platform.workloads["churn", 1].record = "{}"
    return server


def test_a_route_whose_workloads_are_gone_is_removed_though_others_cannot_be_read(harness: MemoryHarness) -> None:
    deployer = harness.deployer()
    deployer.platform.workloads["another", 1] = Stored("{}", Launch(argv=(), readiness_path=""), "theirs", "another")
    deployer.gateway.write("churn", (Backend(1, "memory://churn-r1"),), 1, "")
    deployer.reconcile()
    assert deployer.gateway.routes() == {}


def test_no_model_is_removed_while_a_record_that_may_name_it_cannot_be_read(harness: MemoryHarness) -> None:
    deployer = harness.deployer()
    digest = deployer.store.add(harness.config("v1").model_uri)
    long_ago = time.time() - 2 * UNTOUCHED_S
    os.utime(deployer.store.root / digest, (long_ago, long_ago))
    deployer.platform.workloads["churn", 1] = Stored("{}", Launch(argv=(), readiness_path=""), "theirs", "churn")
    deployer.reconcile()
    assert deployer.store.has(digest)
    del deployer.platform.workloads["churn", 1]
    deployer.reconcile()
    assert not deployer.store.has(digest)
