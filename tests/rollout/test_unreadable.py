"""What this library cannot read, as a newer one's: nothing of it is touched, and nobody is told a lie about it."""

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from deployer.engine import Launch
from deployer.errors import EngineError
from deployer.flavors.memory.platform import Stored
from deployer.gateway import Backend, Route
from deployer.server import ModelServer, State
from deployer.store import UNTOUCHED_S
from deployer.testing.memory import MemoryHarness


@pytest.fixture
def harness(tmp_path: Path) -> MemoryHarness:
    return MemoryHarness(tmp_path)


@pytest.fixture
def server(harness: MemoryHarness) -> ModelServer:
    """It was replaced by a newer library: the old revision is still there, the route names the new one."""
    deployer = harness.deployer()
    server = deployer.deploy_model(harness.config("v1"))
    deployer.platform.workloads["churn", 2] = Stored("{}", Launch(argv=(), readiness_path=""), "theirs", "churn")
    tag = deployer.gateway.routes()["churn"].tag
    deployer.gateway.write("churn", (Backend(2, "memory://churn-r2"),), 2, tag)
    return server


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
def test_what_can_be_read_of_it_is_deleted_and_the_route_stays(harness: MemoryHarness, server: ModelServer) -> None:
    harness.deployer().delete_model_server(server.uuid, force=True)
    assert harness.deployer().engine.list() == []


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
