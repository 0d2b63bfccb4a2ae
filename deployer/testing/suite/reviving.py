"""Scenario 28 where a server dies again and again: it is brought back ever later, then given up, until someone asks."""

import re
import time
from collections.abc import Callable

import pytest

from deployer.engine import Health, Workload
from deployer.engine_deployer import EngineModelDeployer
from deployer.rollout import plan
from deployer.rollout.plan import GIVE_UP_AFTER_STARTS
from deployer.server import ModelServer, State
from deployer.testing.hammer import Reply
from deployer.testing.harness import Harness

BACK_WITHIN_S = 30.0
BEGINS_ANEW: dict[str, Callable[[EngineModelDeployer, ModelServer], object]] = {
    "start": lambda deployer, server: deployer.start_model_server(server.uuid),
    "the same deploy": lambda deployer, server: deployer.deploy_model(server.config, replace=True),
}


def test_28_what_died_is_brought_back_at_once_the_first_time_and_then_when_its_message_says(harness: Harness) -> None:
    server = harness.deployer().deploy_model(harness.config("v1"))
    harness.kill(server)
    harness.deployer().reconcile()
    assert harness.ask(server) == Reply(200, "v1", 1)
    harness.kill(server)
    (dead,) = harness.deployer().find_model_server()
    due = time.monotonic() + _seconds_until_its_next_start(dead)
    changed = harness.deployer().reconcile().changed
    assert changed == () or time.monotonic() > due - 1, "it was brought back before its time"
    while not harness.ask(server).ok:
        assert time.monotonic() < due + BACK_WITHIN_S, "nobody brings it back"
        time.sleep(0.05)
        harness.deployer().reconcile()
    assert time.monotonic() > due - 1, "it was brought back before its time"
    assert harness.deployer().find_model_server() == [server]


@pytest.mark.parametrize("by", BEGINS_ANEW)
def test_28_what_keeps_dying_is_given_up_until_somebody_wants_it_again(
    harness: Harness, monkeypatch: pytest.MonkeyPatch, by: str
) -> None:
    server = harness.deployer().deploy_model(harness.config("v1"), replace=True)
    _let_it_die_until_it_is_given_up(harness, server)
    (dead,) = harness.deployer().find_model_server()
    reason, _, end = dead.message.partition("; given up ")
    assert dead.state is State.FAILED and reason
    assert end.startswith(f"after {GIVE_UP_AFTER_STARTS} starts") and "start it, or deploy again" in end
    monkeypatch.setattr(plan, "LONGEST_BACK_OFF_S", 0)
    assert harness.deployer().reconcile().changed == (), "it was only to wait"
    assert not harness.ask(server).ok
    BEGINS_ANEW[by](harness.deployer(), server)
    assert harness.deployer().find_model_server() == [server]
    assert harness.ask(server) == Reply(200, "v1", 1)
    harness.kill(server)
    harness.deployer().reconcile()
    assert harness.ask(server) == Reply(200, "v1", 1), "its starts were not counted anew"


def _seconds_until_its_next_start(dead: ModelServer) -> int:
    told = re.search(r"reconcile starts it again in (\d+) s", dead.message)
    assert dead.state is State.FAILED and told, dead.message
    return int(told[1])


def _let_it_die_until_it_is_given_up(harness: Harness, server: ModelServer) -> None:
    """As so many reconciles would have it, without the pauses between them; each start by another deployer."""
    for number in range(1, GIVE_UP_AFTER_STARTS + 1):
        assert _workload(harness).starts == number, "its starts are not counted where it runs"
        harness.kill(server)
        if number < GIVE_UP_AFTER_STARTS:
            harness.deployer().engine.start(_workload(harness).ref)
            _await_readiness(harness)


def _await_readiness(harness: Harness) -> None:
    until, engine = time.monotonic() + BACK_WITHIN_S, harness.deployer().engine
    workload = _workload(harness)
    while engine.probe([workload], 1.0)[workload.ref].health is not Health.READY:
        assert time.monotonic() < until, "it was started and is not ready"
        time.sleep(0.02)


def _workload(harness: Harness) -> Workload:
    (workload,) = harness.deployer().engine.list()
    return workload
