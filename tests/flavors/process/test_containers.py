"""Servers and a gateway that run in another pid namespace, as in a container that has the state directory too."""

from collections.abc import Iterator
from contextlib import closing
from operator import methodcaller
from pathlib import Path

import pytest

from deployer.engine import Phase
from deployer.errors import EngineError
from deployer.processes.held import HeldProcess
from deployer.server import ModelServer, State
from deployer.testing.hammer import Reply
from deployer.testing.process import ProcessHarness
from deployer.testing.stranger import stranger
from deployer.testing.suite.finding import found_running_in_time
from tests.support.container import Container, container, why_none

RECONCILE = methodcaller("reconcile")

WHY_NONE = why_none()

pytestmark = pytest.mark.skipif(bool(WHY_NONE), reason=WHY_NONE)


@pytest.fixture
def there() -> Iterator[Container]:
    with container() as other:
        yield other


@pytest.fixture
def harness(tmp_path: Path) -> Iterator[ProcessHarness]:
    """Its gateway runs here."""
    with closing(ProcessHarness(tmp_path)) as mine:
        mine.deployer().gateway.ensure()
        yield mine


@pytest.fixture
def server(harness: ProcessHarness, there: Container) -> ModelServer:
    """It was deployed there."""
    deployed: ModelServer = there.do(harness, methodcaller("deploy_model", harness.config("v1")))
    return deployed


def running(harness: ProcessHarness) -> list[int]:
    return [workload.revision for workload in harness.deployer().engine.list() if workload.phase is Phase.RUNNING]


def pid_there(harness: ProcessHarness, revision: int = 1) -> int:
    """What the workload's folder names."""
    identity = HeldProcess(harness.state_dir / "workloads" / f"churn-r{revision}").identity()
    assert identity
    return identity.pid


def test_what_runs_there_is_found_ready_from_here(harness: ProcessHarness, server: ModelServer) -> None:
    assert found_running_in_time(harness, [server]) == [server]
    assert harness.ask(server) == Reply(200, "v1", 1)
    (workload,) = harness.deployer().engine.list()
    assert 0 < workload.age_s < 60
    assert harness.deployer().engine.pid(workload.ref) is None, "its number means nothing here"
    assert harness.deployer().reconcile().changed == ()


def test_what_runs_there_is_replaced_from_here_and_stopped_from_there(
    harness: ProcessHarness, there: Container, server: ModelServer
) -> None:
    with stranger(pid_there(harness)) as bystander:
        with pytest.raises(
            EngineError, match=rf"churn-r1 runs as process {bystander.pid} of another container"
        ) as here:
            harness.deployer().deploy_model(harness.config("v2"), replace=True)
        assert bystander.harm() == ""
    assert here.value.serving == "Revision 2 serves on as before."
    assert harness.ask(server) == Reply(200, "v2", 2)
    (found,) = harness.deployer().find_model_server()
    assert (found.uuid, found.revision, found.state) == (server.uuid, 2, State.READY)
    assert running(harness) == [1, 2]
    there.do(harness, RECONCILE)
    assert running(harness) == [2]
    assert harness.deployer().reconcile().changed == ()


@pytest.mark.parametrize("force", [False, True])
def test_what_is_stopped_from_here_takes_no_requests_and_ends_once_it_is_asked_from_there(
    harness: ProcessHarness, there: Container, server: ModelServer, force: bool
) -> None:
    with stranger(pid_there(harness)) as bystander:
        with pytest.raises(EngineError, match="another container") as elsewhere:
            harness.deployer().stop_model_server(server.uuid, force=force)
        assert bystander.harm() == ""
    assert "from there" in elsewhere.value.hint
    assert [found.state for found in harness.deployer().find_model_server()] == [State.STOPPED]
    there.do(harness, RECONCILE)
    assert running(harness) == [] and harness.ask(server).status == 503
    harness.deployer().start_model_server(server.uuid)
    assert harness.ask(server) == Reply(200, "v1", 1)


def test_what_runs_there_is_not_deleted_from_here(
    harness: ProcessHarness, there: Container, server: ModelServer
) -> None:
    with pytest.raises(EngineError, match="another container"):
        harness.deployer().delete_model_server(server.uuid)
    assert [found.uuid for found in harness.deployer().find_model_server()] == [server.uuid]
    there.do(harness, methodcaller("delete_model_server", server.uuid))
    assert harness.deployer().find_model_server() == []


def test_what_ended_with_its_container_is_brought_back_here(
    harness: ProcessHarness, there: Container, server: ModelServer
) -> None:
    there.end()
    (found,) = harness.deployer().find_model_server()
    assert found.state is State.FAILED
    assert harness.deployer().reconcile().failed == ()
    assert harness.deployer().find_model_server() == [server]
    assert harness.ask(server) == Reply(200, "v1", 1)


def test_a_gateway_that_runs_there_serves_what_is_deployed_here(tmp_path: Path, there: Container) -> None:
    with closing(ProcessHarness(tmp_path)) as harness:
        there.do(harness, methodcaller("reconcile"))
        server = harness.deployer().deploy_model(harness.config("v1"))
        assert harness.ask(server) == Reply(200, "v1", 1)
        with pytest.raises(EngineError, match="another container"):
            harness.deployer().gateway.shutdown()
        there.end()
        assert not harness.ask(server).ok
        assert harness.deployer().reconcile().failed == ()
        assert harness.ask(server) == Reply(200, "v1", 1)
