"""Stopping, starting and deleting while others do the same, or deploy anew."""

import contextlib
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from uuid import UUID

import pytest

from deployer.engine import Health, Readiness, Ref, Workload
from deployer.engine_deployer import EngineModelDeployer
from deployer.errors import LifecycleTimeout, RevisionRefused, RolloutTimeout, ServerNotFound, ServerStopped
from deployer.server import ModelServer, State
from deployer.testing.faults import Lateness, Watch, befall, nth
from deployer.testing.hammer import Reply
from deployer.testing.memory import MemoryHarness
from deployer.testing.models import write_model
from tests.support import meddling

OPERATIONS: dict[str, Callable[[EngineModelDeployer, UUID], None]] = {
    "stop": lambda deployer, uuid: deployer.stop_model_server(uuid),
    "kill": lambda deployer, uuid: deployer.stop_model_server(uuid, force=True),
    "delete": lambda deployer, uuid: deployer.delete_model_server(uuid),
}


@pytest.fixture
def harness(tmp_path: Path) -> MemoryHarness:
    return MemoryHarness(tmp_path)


def replaced_by_another(harness: MemoryHarness, old: ModelServer) -> None:
    """Somebody deletes the server, and somebody deploys one of the same name."""
    harness.deployer().delete_model_server(old.uuid)
    harness.deployer().deploy_model(harness.config("new"))


def assert_the_new_one_serves(harness: MemoryHarness, old: ModelServer) -> None:
    (found,) = harness.deployer().find_model_server()
    assert found.uuid != old.uuid and found.state is State.READY, found
    assert harness.ask(found) == Reply(200, "new", found.revision)


def test_two_who_delete_one_server_are_both_content(harness: MemoryHarness) -> None:
    deployer, other = harness.deployer(), harness.deployer()
    server = deployer.deploy_model(harness.config("v1"))
    meddling.before(deployer.engine, "delete", lambda: other.delete_model_server(server.uuid))
    deployer.delete_model_server(server.uuid)
    assert harness.deployer().find_model_server() == [] and harness.deployer().gateway.routes() == {}


def test_a_delete_removes_the_highest_revision_last(harness: MemoryHarness) -> None:
    server, watch = harness.deployer().deploy_model(harness.config("v1")), Watch()
    with pytest.raises(RevisionRefused):
        harness.deployer().deploy_model(harness.config("v2", "exit"), replace=True)
    befall(harness.deployer(), watch).delete_model_server(server.uuid)
    assert [call.args[0].revision for call in watch.calls if call.name == "engine.delete"] == [1, 2]


def test_a_delete_frozen_before_the_route_leaves_a_new_server_of_that_name_alone(harness: MemoryHarness) -> None:
    deployer = harness.deployer()
    old = deployer.deploy_model(harness.config("v1"))
    meddling.after(deployer.engine, "delete", lambda: harness.deployer().deploy_model(harness.config("new")))
    deployer.delete_model_server(old.uuid)
    assert_the_new_one_serves(harness, old)


@pytest.mark.parametrize("calls", range(1, 12))
@pytest.mark.parametrize("operation", OPERATIONS)
def test_an_operation_frozen_anywhere_leaves_a_new_server_of_that_name_alone(
    harness: MemoryHarness, operation: str, calls: int
) -> None:
    deployer, happened = harness.deployer(), threading.Event()
    old = deployer.deploy_model(harness.config("v1"))

    def replace() -> None:
        happened.set()
        replaced_by_another(harness, old)

    meddling.before(deployer.gateway, "routes", replace, calls=calls)
    with contextlib.suppress(ServerNotFound):
        OPERATIONS[operation](deployer, old.uuid)
    if happened.is_set():
        assert_the_new_one_serves(harness, old)
    else:
        assert calls > 1, "it never looked"


def test_a_deploy_that_comes_later_than_a_stop_starts_the_server(harness: MemoryHarness) -> None:
    deployer, other = harness.deployer(), harness.deployer()
    server = deployer.deploy_model(harness.config("v1"), replace=True)
    v2 = harness.config("v2")
    meddling.before(deployer.engine, "stop", lambda: other.deploy_model(v2, replace=True))
    deployer.stop_model_server(server.uuid)
    assert harness.ask(server) == Reply(200, "v2", 2)


@pytest.mark.parametrize("again", ["start", "deploy"])
def test_what_is_asked_for_during_the_drain_of_a_stop_serves_on(harness: MemoryHarness, again: str) -> None:
    deployer, other = harness.deployer(), harness.deployer()
    server = deployer.deploy_model(config := harness.config("v1"))

    def ask_for_it() -> None:
        if again == "start":
            other.start_model_server(server.uuid)
        else:
            other.deploy_model(config, replace=True)

    meddling.after(deployer.gateway, "acknowledge", ask_for_it, calls=2)
    deployer.stop_model_server(server.uuid)
    assert harness.ask(server) == Reply(200, "v1", 1)


def test_a_delete_is_final_though_a_deploy_comes_between(harness: MemoryHarness) -> None:
    deployer, other = harness.deployer(), harness.deployer()
    server = deployer.deploy_model(harness.config("v1"), replace=True)
    v2 = harness.config("v2")
    meddling.before(deployer.engine, "stop", lambda: other.deploy_model(v2, replace=True))
    deployer.delete_model_server(server.uuid)
    assert harness.deployer().find_model_server() == [] and harness.deployer().engine.list() == []


@pytest.mark.parametrize("force", [False, True])
def test_a_delete_is_final_though_a_start_comes_between(harness: MemoryHarness, force: bool) -> None:
    deployer, other = harness.deployer(), harness.deployer()
    server = deployer.deploy_model(harness.config("v1"))
    meddling.before(deployer.engine, "delete", lambda: other.start_model_server(server.uuid))
    deployer.delete_model_server(server.uuid, force=force)
    assert other.find_model_server() == [] and other.engine.list() == []


def test_a_stop_that_came_to_nothing_in_its_time_says_that_the_server_still_answers(harness: MemoryHarness) -> None:
    deployer = harness.deployer()
    server = deployer.deploy_model(harness.config("v1"))
    befall(deployer, Lateness(nth("engine.mark"), seconds=1))
    with pytest.raises(LifecycleTimeout) as raised:
        deployer.stop_model_server(server.uuid, timeout=1)
    assert raised.value.serving == "Revision 1 still answers and is about to stop."
    assert harness.ask(server) == Reply(200, "v1", 1)


@pytest.mark.parametrize("force", [False, True])
def test_a_timeout_of_zero_stops_and_deletes_as_well(harness: MemoryHarness, force: bool) -> None:
    deployer = harness.deployer()
    server = deployer.deploy_model(harness.config("v1"))
    deployer.stop_model_server(server.uuid, timeout=0, force=force)
    (stopped,) = deployer.find_model_server()
    assert (stopped.state, stopped.message, harness.ask(server).status) == (State.STOPPED, "", 503)
    deployer.start_model_server(server.uuid)
    deployer.delete_model_server(server.uuid, timeout=0, force=force)
    assert deployer.find_model_server() == [] and harness.ask(server).status == 404


def test_a_delete_that_is_done_when_its_time_is_up_is_no_failure(harness: MemoryHarness) -> None:
    deployer = harness.deployer()
    server = deployer.deploy_model(harness.config("v1"))
    befall(deployer, Lateness(nth("engine.delete"), seconds=1))
    deployer.delete_model_server(server.uuid, timeout=1)


def test_a_start_that_is_stopped_meanwhile_says_so(harness: MemoryHarness) -> None:
    deployer, other = harness.deployer(), harness.deployer()
    server = deployer.deploy_model(harness.config("v1"))
    deployer.stop_model_server(server.uuid)
    meddling.after(deployer.engine, "start", lambda: other.stop_model_server(server.uuid))
    with pytest.raises(ServerStopped):
        deployer.start_model_server(server.uuid)


def test_a_start_whose_revision_is_refused_says_so_though_the_one_below_was_stopped_before(
    harness: MemoryHarness,
) -> None:
    deployer = harness.deployer()
    server = deployer.deploy_model(harness.config("v1"))
    deployer.stop_model_server(server.uuid)
    deployer.deploy_model(harness.config("v2", "exit"), replace=True, timeout=0)
    with pytest.raises(RevisionRefused, match="Revision 2 of churn was refused"):
        deployer.start_model_server(server.uuid)


def test_a_start_of_what_is_deleted_meanwhile_says_so(harness: MemoryHarness) -> None:
    deployer, other = harness.deployer(), harness.deployer()
    server = deployer.deploy_model(harness.config("v1"))
    deployer.stop_model_server(server.uuid)
    meddling.after(deployer.engine, "start", lambda: other.delete_model_server(server.uuid))
    with pytest.raises(ServerNotFound):
        deployer.start_model_server(server.uuid)


def test_a_start_waits_for_what_runs_and_is_not_ready_yet(harness: MemoryHarness) -> None:
    deployer = harness.deployer()
    server = deployer.deploy_model(harness.config("v1"))
    deployer.stop_model_server(server.uuid)
    probe, unready = deployer.engine.probe, [Health.SILENT, Health.SICK]

    def not_yet(workloads: Sequence[Workload], deadline_s: float) -> dict[Ref, Readiness]:
        answers = probe(workloads, deadline_s)
        return {ref: Readiness(unready.pop()) for ref in answers} if unready else answers

    deployer.engine.probe = not_yet  # type: ignore[method-assign]
    deployer.start_model_server(server.uuid)
    assert unready == [] and harness.ask(server) == Reply(200, "v1", 1)


def test_a_start_of_what_hangs_waits_no_longer_than_its_timeout(harness: MemoryHarness) -> None:
    deployer = harness.deployer()
    server = deployer.deploy_model(harness.config("v1"))
    harness.hang(server)
    with pytest.raises(RolloutTimeout, match="within 1 s"):
        deployer.start_model_server(server.uuid, timeout=1)


def test_a_start_that_was_ready_too_late_to_be_routed_says_so(harness: MemoryHarness) -> None:
    deployer = harness.deployer()
    server = deployer.deploy_model(harness.config("v1"))
    deployer.stop_model_server(server.uuid)
    befall(deployer, Lateness(nth("engine.probe"), seconds=1))
    with pytest.raises(RolloutTimeout, match="did not serve within 1 s: it is ready, and its URL is yet to lead to it"):
        deployer.start_model_server(server.uuid, timeout=1)
    harness.deployer().reconcile()
    assert harness.ask(server) == Reply(200, "v1", 1)


def test_a_start_that_takes_too_long_speaks_of_no_deploy(harness: MemoryHarness) -> None:
    deployer = harness.deployer()
    server = deployer.deploy_model(harness.config("v1"))
    deployer.stop_model_server(server.uuid)
    write_model(deployer.store.path(server.digest), "v1", delay_s=15)
    with pytest.raises(RolloutTimeout, match="within 1 s") as timed_out:
        deployer.start_model_server(server.uuid, timeout=1)
    assert "deploy" not in str(timed_out.value)
