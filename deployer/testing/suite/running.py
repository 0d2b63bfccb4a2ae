"""Scenarios 8 to 12 and 14: starting, stopping, deleting, waiting, logs, and what survives all of it."""

import threading
import time
from collections.abc import Callable
from uuid import uuid4

import pytest

from deployer.client import predict
from deployer.config import ModelServerConfig, Provenance
from deployer.engine import Phase
from deployer.engine_deployer import EngineModelDeployer
from deployer.errors import RevisionRefused, RolloutTimeout, ServerNotFound, ServerStopped
from deployer.server import ModelServer, State
from deployer.testing.hammer import Reply
from deployer.testing.harness import Harness

DONE_WITHIN_S = 20.0
STARTS_S = 10.0
AT_ONCE_S = 5.0


def test_08_a_stopped_server_is_listed_and_starts_at_the_same_url(harness: Harness) -> None:
    deployer = harness.deployer()
    server = deployer.deploy_model(harness.config("v1"))
    for _ in ("once", "twice"):
        deployer.stop_model_server(server.uuid)
        (found,) = harness.deployer().find_model_server()
        assert (found.uuid, found.url, found.state) == (server.uuid, server.url, State.STOPPED)
        assert harness.ask(server).status == 503
    for _ in ("once", "twice"):
        deployer.start_model_server(server.uuid)
        assert harness.deployer().find_model_server() == [server]
        assert harness.ask(server) == Reply(200, "v1", 1)


def test_08_reconcile_leaves_a_stopped_server_stopped(harness: Harness) -> None:
    deployer = harness.deployer()
    server = deployer.deploy_model(harness.config("v1"))
    deployer.stop_model_server(server.uuid)
    assert harness.deployer().reconcile().changed == ()
    assert _state(deployer, server) is State.STOPPED


def test_08_a_deploy_to_a_stopped_server_starts_it(harness: Harness) -> None:
    deployer = harness.deployer()
    server = deployer.deploy_model(harness.config("v1"))
    for answer, revision in (("v1", 1), ("v2", 2)):
        deployer.stop_model_server(server.uuid)
        assert harness.deployer().deploy_model(harness.config(answer), replace=True).uuid == server.uuid
        assert harness.ask(server) == Reply(200, answer, revision)


def test_08_a_start_of_a_server_whose_revisions_were_all_refused_makes_another_one_of_the_newest(
    harness: Harness,
) -> None:
    deployer = harness.deployer()
    with pytest.raises(RolloutTimeout):
        deployer.deploy_model(harness.config("v1", delay_s=2), timeout=1)
    (refused,) = deployer.find_model_server()
    deployer.start_model_server(refused.uuid)
    (started,) = harness.deployer().find_model_server()
    assert (started.uuid, started.url, started.revision) == (refused.uuid, refused.url, 2)
    assert harness.ask(started) == Reply(200, "v1", 2)


def test_09_a_deleted_server_is_gone_for_good(harness: Harness) -> None:
    deployer = harness.deployer()
    gone, other = (deployer.deploy_model(harness.config("v1", model_name=name)) for name in ("churn", "churn-2"))
    deployer.delete_model_server(gone.uuid)
    assert harness.deployer().find_model_server() == [other]
    assert not harness.ask(gone).ok and harness.ask(other).ok
    with pytest.raises(ServerNotFound):
        deployer.delete_model_server(gone.uuid)


def test_09_an_unknown_uuid_is_an_error_and_with_force_none(harness: Harness) -> None:
    deployer, unknown = harness.deployer(), uuid4()
    calls: list[Callable[[], object]] = [
        lambda: deployer.delete_model_server(unknown),
        lambda: deployer.stop_model_server(unknown),
        lambda: deployer.start_model_server(unknown),
        lambda: deployer.rollback(unknown),
        lambda: deployer.history(unknown),
        lambda: deployer.logs(unknown),
    ]
    for call in calls:
        with pytest.raises(ServerNotFound, match=str(unknown)):
            call()
    deployer.delete_model_server(unknown, force=True)


def test_10_a_timeout_of_zero_begins_and_does_not_wait(harness: Harness) -> None:
    deployer = harness.deployer()
    deployer.gateway.ensure()
    server = deployer.deploy_model(harness.config("v1", delay_s=STARTS_S), timeout=0)
    assert not harness.ask(server).ok, "it waited"
    assert (server.state, server.revision) == (State.PENDING, 1)
    assert "reconcile" in server.message
    assert [workload.phase for workload in deployer.engine.list()] == [Phase.RUNNING], "it was not even started"
    harness.deployer().reconcile()
    assert _state(deployer, server) is State.READY
    assert harness.ask(server) == Reply(200, "v1", 1)


def test_10_a_timeout_that_runs_out_raises_and_the_old_revision_serves(harness: Harness) -> None:
    deployer = harness.deployer()
    first = deployer.deploy_model(harness.config("v1"))
    with pytest.raises(RolloutTimeout, match="within 1 s") as timed_out:
        deployer.deploy_model(harness.config("v2", delay_s=30), replace=True, timeout=1)
    assert timed_out.value.serving == "Revision 1 serves on as before."
    harness.deployer().reconcile()
    (found,) = deployer.find_model_server()
    assert (found.uuid, found.revision, found.state) == (first.uuid, 1, State.READY)
    assert harness.ask(first) == Reply(200, "v1", 1)


def test_11_a_prediction_of_a_stopped_server_raises_at_once(harness: Harness) -> None:
    deployer = harness.deployer()
    server = deployer.deploy_model(harness.config("v1"))
    deployer.stop_model_server(server.uuid)
    (stopped,) = deployer.find_model_server()
    began = time.monotonic()
    with pytest.raises(ServerStopped, match=server.name):
        predict(stopped, [[1.0]])
    assert time.monotonic() - began < AT_ONCE_S


def test_12_the_log_is_kept_and_can_be_followed_to_its_end(harness: Harness) -> None:
    deployer = harness.deployer()
    server = deployer.deploy_model(harness.config("v1", delay_s=1), timeout=0)
    followed: list[str] = []
    lines = harness.deployer().logs(server.uuid, follow=True)
    reader = threading.Thread(target=lambda: followed.extend(lines), daemon=True)
    reader.start()
    deployer.reconcile()
    assert reader.is_alive(), "the log has ended before the server"
    deployer.stop_model_server(server.uuid)
    reader.join(DONE_WITHIN_S)
    assert not reader.is_alive(), "the log has not ended with the server"
    assert any("serving" in line for line in followed)
    assert list(deployer.logs(server.uuid, tail=1)) == followed[-1:]


def test_12_the_log_of_a_server_that_failed_to_start_is_kept(harness: Harness) -> None:
    deployer = harness.deployer()
    with pytest.raises(RevisionRefused) as refused:
        deployer.deploy_model(harness.config("v1", mode="exit"))
    assert "cannot load model" in refused.value.log_tail
    (found,) = harness.deployer().find_model_server()
    assert found.state is State.FAILED and "7" in found.message, "how it ended is not told"
    assert "cannot load model" in list(harness.deployer().logs(found.uuid))


def test_14_timestamps_revision_and_provenance_survive_every_operation(harness: Harness) -> None:
    deployer = harness.deployer()
    config, _ = _configs_of_two_runs(harness)
    server = deployer.deploy_model(config)
    operations: list[Callable[[], object]] = [
        lambda: deployer.stop_model_server(server.uuid),
        lambda: deployer.start_model_server(server.uuid),
        lambda: harness.kill(server),
        deployer.reconcile,
        lambda: deployer.deploy_model(config, replace=True),
    ]
    for operation in operations:
        operation()
        (found,) = harness.deployer().find_model_server()
        assert _lasting(found) == _lasting(server)
        assert found.provenance == config.provenance


def test_14_a_new_revision_keeps_when_its_server_was_made_and_what_was_before(harness: Harness) -> None:
    deployer, (v1, v2) = harness.deployer(), _configs_of_two_runs(harness)
    first, second = (deployer.deploy_model(config, replace=True) for config in (v1, v2))
    third = deployer.rollback(first.uuid)
    assert first.created_at == second.created_at == third.created_at
    assert first.deployed_at < second.deployed_at < third.deployed_at
    assert (second.provenance, third.provenance) == (v2.provenance, v1.provenance)
    kept = [(e.number, e.origin, e.config, e.created_at, e.digest) for e in harness.deployer().history(first.uuid)]
    assert kept == [
        (1, 1, v1, first.deployed_at, first.digest),
        (2, 2, v2, second.deployed_at, second.digest),
        (3, 1, v1, third.deployed_at, first.digest),
    ]


def _configs_of_two_runs(harness: Harness) -> list[ModelServerConfig]:
    """Of one flow and task."""
    provenances = (Provenance(pipeline_name="train", pipeline_run_id=run, pipeline_step_name="deploy") for run in "12")
    return [harness.config(f"v{p.pipeline_run_id}", provenance=p) for p in provenances]


def _lasting(server: ModelServer) -> tuple[object, ...]:
    return server.uuid, server.name, server.url, server.revision, server.config, server.created_at, server.deployed_at


def _state(deployer: EngineModelDeployer, server: ModelServer) -> State:
    (found,) = deployer.find_model_server(service_uuid=server.uuid)
    return found.state
