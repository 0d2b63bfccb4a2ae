"""Scenarios 15, 16, 26 and 34 to 36 where the rollout is `recreate`, and others or a death come across it."""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from threading import Barrier
from typing import Any

import pytest

from deployer.config import ModelServerConfig
from deployer.errors import RevisionRefused, ServerStopped, Superseded
from deployer.server import ModelServer, State
from deployer.testing.faults import Death, Failure, Freeze, Killed, befall, nth
from deployer.testing.hammer import Reply
from deployer.testing.harness import Harness
from deployer.testing.witness import running

ALONE: dict[str, Any] = {"rollout": "recreate"}
REACHED_WITHIN_S = 20.0
MAKING_ROOM = [
    ("engine.create", 1, True),
    ("gateway.write", 1, True),
    ("engine.stop", 1, False),
    ("engine.stop", 1, True),
    ("engine.start", 1, True),
]
"""Calls of a recreate: how often each was made, and whether it took effect."""
BRINGING_BACK = [
    *MAKING_ROOM[-2:],
    ("gateway.write", 2, True),
    ("engine.mark", 1, True),
    ("engine.start", 2, True),
    ("gateway.write", 3, True),
]
"""Calls of a recreate in vain."""


@pytest.mark.parametrize(("call", "number", "after"), MAKING_ROOM)
def test_15_recreate_whose_deployer_died_is_completed_by_reconcile(
    harness: Harness, call: str, number: int, after: bool
) -> None:
    server = _broken_off(harness, "ok", Death(nth(call, number), after))
    harness.deployer().reconcile()
    assert harness.ask(server) == Reply(200, "v2", 2)


@pytest.mark.parametrize(("call", "number", "after"), BRINGING_BACK)
def test_16_recreate_in_vain_whose_deployer_died_is_undone_by_reconcile(
    harness: Harness, call: str, number: int, after: bool
) -> None:
    server = _broken_off(harness, "exit", Death(nth(call, number), after))
    harness.deployer().reconcile()
    assert harness.ask(server) == Reply(200, "v1", 1)


def test_26_recreate_by_two_at_once_leaves_one_and_each_is_told_the_truth(harness: Harness) -> None:
    server = harness.deployer().deploy_model(harness.config("v1"))
    start, configs = Barrier(2), [harness.config(answer, **ALONE) for answer in ("a", "b")]

    def deploy(config: ModelServerConfig) -> int:
        start.wait()
        try:
            return harness.deployer().deploy_model(config, replace=True).revision
        except Superseded:
            return 0

    with ThreadPoolExecutor(2) as pool:
        served = list(pool.map(deploy, configs))
    (found,) = harness.deployer().find_model_server()
    assert (found.uuid, found.revision, found.state) == (server.uuid, max(served), State.READY)
    assert harness.ask(server) == Reply(200, "ab"[served.index(found.revision)], found.revision)
    assert running(harness.deployer()) == [found.revision]


def test_34_recreate_frozen_where_it_stops_what_serves_again_by_then_brings_that_back(harness: Harness) -> None:
    server = harness.deployer().deploy_model(harness.config("v1"))
    with _frozen_at(harness, "engine.stop") as rollout:
        with pytest.raises(RevisionRefused):
            harness.deployer().deploy_model(harness.config("v3", "exit"), replace=True)
        assert harness.ask(server) == Reply(200, "v1", 1)
    assert isinstance(rollout.exception(), Superseded)
    assert harness.ask(server) == Reply(200, "v1", 1)


def test_35_recreate_that_is_stopped_meanwhile_ends_and_a_start_serves_what_made_room(harness: Harness) -> None:
    deployer = harness.deployer()
    server = deployer.deploy_model(harness.config("v1"))
    with _frozen_at(harness, "engine.start", after=True) as rollout:
        deployer.stop_model_server(server.uuid)
    assert isinstance(rollout.exception(), ServerStopped)
    harness.deployer().reconcile()
    (stopped,) = harness.deployer().find_model_server()
    assert (stopped.state, running(deployer), harness.ask(server).status) == (State.STOPPED, [], 503)
    deployer.start_model_server(server.uuid)
    assert (harness.ask(server), running(deployer)) == (Reply(200, "v1", 1), [1])


def test_36_recreate_that_is_interrupted_brings_the_old_revision_back(harness: Harness) -> None:
    server = harness.deployer().deploy_model(harness.config("v1"))
    deployer = befall(harness.deployer(), Failure(nth("engine.start"), KeyboardInterrupt(), after=True))
    with pytest.raises(KeyboardInterrupt):
        deployer.deploy_model(harness.config("v2", "hang", **ALONE), replace=True)
    assert (harness.ask(server), running(deployer)) == (Reply(200, "v1", 1), [1])


def _broken_off(harness: Harness, mode: str, death: Death) -> ModelServer:
    """A server whose deployer died while it recreated it."""
    server = harness.deployer().deploy_model(harness.config("v1"))
    with pytest.raises(Killed):
        befall(harness.deployer(), death).deploy_model(harness.config("v2", mode, **ALONE), replace=True)
    assert len(running(harness.deployer())) <= 1, "two ran at once"
    return server


@contextmanager
def _frozen_at(harness: Harness, call: str, after: bool = False) -> Iterator[Future[ModelServer]]:
    """A rollout whose deployer stands still while the context is open; over with it."""
    freeze = Freeze(nth(call), after)
    deployer = befall(harness.deployer(), freeze)
    with ThreadPoolExecutor(1) as pool:
        rollout = pool.submit(deployer.deploy_model, harness.config("v2", **ALONE), replace=True)
        try:
            assert freeze.frozen.wait(REACHED_WITHIN_S), f"it came to no {call}"
            yield rollout
        finally:
            freeze.thaw()
