"""Scenarios 34 to 36: rollouts that a delete, a stop, a deadline or an interruption ends."""

import threading
import time
from collections.abc import Callable

import pytest

from deployer.engine_deployer import EngineModelDeployer
from deployer.errors import RolloutTimeout, ServerStopped
from deployer.server import ModelServer, State
from deployer.testing.faults import Death, Failure, Freeze, Killed, befall, nth
from deployer.testing.hammer import Reply
from deployer.testing.harness import Harness
from deployer.testing.suite.finding import found_running_in_time

BEFORE_THE_ROUTE = [
    ("store.add", True),
    ("engine.create", False),
    ("engine.create", True),
    ("engine.start", False),
    ("engine.start", True),
    ("gateway.write", False),
]
"""Calls of a replace, each with whether they have taken effect."""
AFTER_THE_ROUTE = [
    ("gateway.write", True),
    ("gateway.acknowledge", False),
    ("engine.stop", False),
    ("engine.stop", True),
    ("engine.delete", True),
]
STARTS_S = 2.0
ENDS_WITHIN_S = 30.0
PATIENT_S = 4


def test_34_a_deploy_that_wakes_after_its_server_was_deleted_makes_a_new_one(harness: Harness) -> None:
    old = harness.deployer().deploy_model(harness.config("v1"))
    freeze = Freeze(nth("engine.create"))
    rollout = _replace(harness, befall(harness.deployer(), freeze))
    assert freeze.frozen.wait(ENDS_WITHIN_S)
    harness.deployer().delete_model_server(old.uuid)
    freeze.thaw()
    assert rollout.ended() is None
    (new,) = harness.deployer().find_model_server()
    assert new.uuid != old.uuid and new.revision == 1
    assert harness.ask(new) == Reply(200, "v2", 1)


def test_34_a_reconcile_that_wakes_routes_no_revision_that_was_closed_meanwhile(harness: Harness) -> None:
    server = harness.deployer().deploy_model(harness.config("v1"))
    started, ready = Freeze(nth("engine.start"), after=True), Freeze(nth("gateway.write"))
    rollout = _replace(harness, befall(harness.deployer(), started), timeout=PATIENT_S)
    assert started.frozen.wait(ENDS_WITHIN_S)
    overdue = time.monotonic() + PATIENT_S
    reconcile = _InThread(befall(harness.deployer(), ready).reconcile)
    assert ready.frozen.wait(ENDS_WITHIN_S)
    time.sleep(max(0.0, overdue - time.monotonic()))
    started.thaw()
    assert isinstance(rollout.ended(), RolloutTimeout)
    ready.thaw()
    assert reconcile.ended() is None
    assert harness.ask(server) == Reply(200, "v1", 1)


@pytest.mark.parametrize("already", ["serves", "is new"])
def test_35_a_stop_during_a_rollout_ends_it_and_a_start_gives_exactly_one_server(
    harness: Harness, already: str
) -> None:
    deployer = harness.deployer()
    if already == "serves":
        deployer.deploy_model(harness.config("v1"))
    freeze = Freeze(nth("engine.start"), after=True)
    rollout = _replace(harness, befall(harness.deployer(), freeze))
    assert freeze.frozen.wait(ENDS_WITHIN_S)
    (server,) = deployer.find_model_server()
    deployer.stop_model_server(server.uuid)
    freeze.thaw()
    assert isinstance(rollout.ended(), ServerStopped)
    (stopped,) = harness.deployer().find_model_server()
    assert (stopped.uuid, stopped.state) == (server.uuid, State.STOPPED)
    harness.deployer().reconcile()
    assert not harness.ask(server).ok
    harness.deployer().start_model_server(server.uuid)
    (started,) = harness.deployer().find_model_server()
    assert started.uuid == server.uuid and found_running_in_time(harness, [started]) == [started]
    assert harness.ask(server).answer == ("v1" if already == "serves" else "v2")


def test_36_a_deploy_that_timed_out_never_goes_live_later(harness: Harness) -> None:
    deployer = harness.deployer()
    server = deployer.deploy_model(harness.config("v1"))
    began = time.monotonic()
    with pytest.raises(RolloutTimeout, match="was closed and will not serve"):
        deployer.deploy_model(harness.config("v2", delay_s=STARTS_S), replace=True, timeout=1)
    while time.monotonic() < began + STARTS_S + 1:
        harness.deployer().reconcile()
        assert harness.ask(server) == Reply(200, "v1", 1)


def test_36_a_deploy_that_only_joined_another_ones_closes_nothing_when_it_times_out(harness: Harness) -> None:
    server = harness.deployer().deploy_model(harness.config("v1"))
    config = harness.config("v2", delay_s=3 * STARTS_S)
    harness.deployer().deploy_model(config, replace=True, timeout=0)
    with pytest.raises(RolloutTimeout, match="was not closed"):
        harness.deployer().deploy_model(config, replace=True, timeout=1)
    (found,) = harness.deployer().find_model_server()
    assert (found.revision, found.state) == (1, State.READY) and "revision 2 is on its way" in found.message
    harness.deployer().reconcile()
    assert harness.ask(server) == Reply(200, "v2", 2)


@pytest.mark.parametrize(("call", "after"), BEFORE_THE_ROUTE)
def test_36_a_deploy_that_was_interrupted_before_its_route_never_goes_live_later(
    harness: Harness, call: str, after: bool
) -> None:
    server = _interrupted(harness, call, after)
    assert [found.revision for found in harness.deployer().find_model_server()] == [1]
    harness.deployer().reconcile()
    assert harness.ask(server) == Reply(200, "v1", 1)


@pytest.mark.parametrize(("call", "after"), AFTER_THE_ROUTE)
def test_36_a_deploy_that_was_interrupted_after_its_route_goes_forward(
    harness: Harness, call: str, after: bool
) -> None:
    server = _interrupted(harness, call, after)
    assert harness.ask(server).status == 200  # By either: nobody waited for the acknowledgement.
    harness.deployer().reconcile()
    assert harness.ask(server) == Reply(200, "v2", 2)


@pytest.mark.parametrize(("call", "after"), BEFORE_THE_ROUTE[2:])
def test_36_a_deploy_whose_deployer_was_killed_is_completed_by_reconcile(
    harness: Harness, call: str, after: bool
) -> None:
    server = harness.deployer().deploy_model(harness.config("v1"))
    with pytest.raises(Killed):
        befall(harness.deployer(), Death(nth(call), after)).deploy_model(harness.config("v2"), replace=True)
    assert harness.ask(server) == Reply(200, "v1", 1)
    (left,) = harness.deployer().find_model_server()
    assert (left.uuid, left.revision, left.state) == (server.uuid, 1, State.READY)
    assert "revision 2 is on its way" in left.message
    harness.deployer().reconcile()
    assert harness.ask(server) == Reply(200, "v2", 2)


@pytest.mark.parametrize(("call", "after"), BEFORE_THE_ROUTE[2:])
def test_25_a_first_deploy_whose_deployer_was_killed_is_seen_as_pending_until_reconcile_completes_it(
    harness: Harness, call: str, after: bool
) -> None:
    with pytest.raises(Killed):
        befall(harness.deployer(), Death(nth(call), after)).deploy_model(harness.config("v1"))
    (left,) = harness.deployer().find_model_server()
    assert (left.revision, left.state) == (1, State.PENDING) and "reconcile" in left.message
    harness.deployer().reconcile()
    (completed,) = harness.deployer().find_model_server()
    assert (completed.uuid, completed.state) == (left.uuid, State.READY)
    assert harness.ask(completed) == Reply(200, "v1", 1)


def _interrupted(harness: Harness, call: str, after: bool) -> ModelServer:
    """A server that is being replaced while its deployer's user says no."""
    server = harness.deployer().deploy_model(harness.config("v1"))
    deployer = befall(harness.deployer(), Failure(nth(call), KeyboardInterrupt(), after))
    with pytest.raises(KeyboardInterrupt):
        deployer.deploy_model(harness.config("v2"), replace=True)
    return server


class _InThread:
    """Something that a deployer does in a thread of its own."""

    def __init__(self, act: Callable[[], object]) -> None:
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._do, args=(act,), name="rollout", daemon=True)
        self._thread.start()

    def ended(self) -> Exception | None:
        """What its caller was told, once it has ended."""
        self._thread.join(ENDS_WITHIN_S)
        assert not self._thread.is_alive(), "it goes on"
        return self._error

    def _do(self, act: Callable[[], object]) -> None:
        try:
            act()
        except Exception as error:
            self._error = error


def _replace(harness: Harness, deployer: EngineModelDeployer, timeout: int = 300) -> _InThread:
    config = harness.config("v2")
    return _InThread(lambda: deployer.deploy_model(config, replace=True, timeout=timeout))
