"""Scenario 31: the gateway is down during a deploy, or whatever else is asked; once it is back, reconcile completes."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import pytest

from deployer.engine import Phase
from deployer.engine_deployer import EngineModelDeployer
from deployer.errors import DeployerError
from deployer.rollout.steps import Action, Progress
from deployer.server import ModelServer, State
from deployer.testing.hammer import Reply
from deployer.testing.harness import Harness

Operation = Callable[[Harness, EngineModelDeployer, ModelServer], object]

CHANGES_NOTHING: dict[str, Operation] = {
    "first deploy": lambda harness, deployer, _: deployer.deploy_model(harness.config("other", model_name="other")),
    "replace": lambda harness, deployer, _: deployer.deploy_model(harness.config("v3"), replace=True),
    "rollback": lambda _, deployer, server: deployer.rollback(server.uuid),
    "reconcile": lambda _, deployer, __: deployer.reconcile(),
}


def test_31_without_its_gateway_nothing_is_begun_and_all_can_be_looked_at(harness: Harness) -> None:
    server = _second_revision(harness)
    with harness.gateway_down():
        for name, operation in CHANGES_NOTHING.items():
            with pytest.raises(DeployerError) as error:
                operation(harness, harness.deployer(), server)
            assert error.value.hint, f"{name} does not say what to do"
            assert harness.deployer().find_model_server() == [server], f"{name} changed something"
        assert harness.ask(server).answer != "v2"
    assert harness.deployer().reconcile().failed == ()
    assert harness.deployer().find_model_server() == [server]
    assert harness.ask(server) == Reply(200, "v2", 2)


@pytest.mark.parametrize("action", [Action.START, Action.ROUTE, Action.RETIRE])
def test_31_a_gateway_that_goes_down_during_a_deploy_loses_nothing(harness: Harness, action: Action) -> None:
    server = harness.deployer().deploy_model(harness.config("v1"))
    deployer = harness.deployer()
    with _gateway_going_down_at(action, harness, deployer):
        with pytest.raises(DeployerError):
            deployer.deploy_model(harness.config("v2"), replace=True)
        assert _running(harness) == [1, 2], "something was stopped that no gateway had let go"
        (found,) = harness.deployer().find_model_server()
        assert (found.uuid, found.url) == (server.uuid, server.url)
    assert harness.deployer().reconcile().failed == ()
    assert harness.ask(server) == Reply(200, "v2", 2)
    assert _running(harness) == [2]


def test_31_a_gateway_that_goes_down_during_a_deploy_loses_no_server_that_this_supersedes(harness: Harness) -> None:
    deployer = harness.deployer()
    newest = [deployer.deploy_model(harness.config(answer)) for answer in ("a", "b", "c")][-1]
    with _gateway_going_down_at(Action.REMOVE_SERVER, harness, deployer):
        with pytest.raises(DeployerError):
            deployer.deploy_model(harness.config("new"), replace=True)
        assert _states(harness) == [State.READY] * 3
    assert harness.deployer().reconcile().failed == ()
    assert [server.uuid for server in harness.deployer().find_model_server()] == [newest.uuid]
    assert harness.ask(newest) == Reply(200, "new", 2)


def test_31_a_stopped_server_stays_stopped_when_it_is_started_without_the_gateway(harness: Harness) -> None:
    server = harness.deployer().deploy_model(harness.config("v1"))
    harness.deployer().stop_model_server(server.uuid)
    with harness.gateway_down():
        with pytest.raises(DeployerError):
            harness.deployer().start_model_server(server.uuid)
        assert _states(harness) == [State.STOPPED] and _running(harness) == []
    harness.deployer().start_model_server(server.uuid)
    assert harness.ask(server) == Reply(200, "v1", 1)


def test_31_a_stop_without_the_gateway_stops_nothing_that_may_take_requests(harness: Harness) -> None:
    server = _second_revision(harness)
    with harness.gateway_down():
        with pytest.raises(DeployerError):
            harness.deployer().stop_model_server(server.uuid)
        assert _running(harness) == [2]
        assert _states(harness) == [State.STOPPED]
    assert harness.deployer().reconcile().failed == ()
    assert _running(harness) == [] and harness.ask(server).status == 503
    harness.deployer().start_model_server(server.uuid)
    assert harness.ask(server) == Reply(200, "v2", 2)


def test_31_a_stop_by_force_needs_no_gateway(harness: Harness) -> None:
    server = _second_revision(harness)
    with harness.gateway_down():
        harness.deployer().stop_model_server(server.uuid, force=True)
        assert _running(harness) == [] and _states(harness) == [State.STOPPED]
    assert harness.deployer().reconcile().failed == ()
    assert _states(harness) == [State.STOPPED] and harness.ask(server).status == 503


def test_31_a_delete_without_the_gateway_leaves_a_stopped_server_that_can_be_deleted(harness: Harness) -> None:
    server = _second_revision(harness)
    with harness.gateway_down():
        with pytest.raises(DeployerError):
            harness.deployer().delete_model_server(server.uuid)
        assert _states(harness) == [State.STOPPED]
    assert harness.deployer().reconcile().failed == ()
    assert _states(harness) == [State.STOPPED] and _running(harness) == []
    harness.deployer().delete_model_server(server.uuid)
    assert harness.deployer().find_model_server() == []


@contextmanager
def _gateway_going_down_at(action: Action, harness: Harness, deployer: EngineModelDeployer) -> Iterator[None]:
    """Once the deployer begins such a step, and for as long as the context is open."""
    with ExitStack() as down:

        def take_down(progress: Progress) -> None:
            if progress.step.action is action and progress.seconds is None:
                down.enter_context(harness.gateway_down())

        deployer.on_progress = take_down
        yield


def _second_revision(harness: Harness) -> ModelServer:
    harness.deployer().deploy_model(harness.config("v1"))
    return harness.deployer().deploy_model(harness.config("v2"), replace=True)


def _running(harness: Harness) -> list[int]:
    return [workload.revision for workload in harness.deployer().engine.list() if workload.phase is Phase.RUNNING]


def _states(harness: Harness) -> list[State]:
    return [server.state for server in harness.deployer().find_model_server()]
