"""Scenarios 15, 16, 18 and 34 to 36 where the rollout is `recreate`: nothing runs beside the new revision, at the price
of an outage that everybody is told of."""

import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Barrier
from typing import Any

import pytest

from deployer.config import Drain, ModelServerConfig, Probes
from deployer.engine import Phase
from deployer.engine_deployer import EngineModelDeployer
from deployer.errors import RevisionRefused, RolloutTimeout, ServerStopped, Superseded
from deployer.server import ModelServer, State
from deployer.testing.faults import Call, Death, Do, Failure, Freeze, Killed, befall, nth
from deployer.testing.hammer import Hammer, Reply
from deployer.testing.harness import Harness

ALONE: dict[str, Any] = {"rollout": "recreate"}
CHANGES = ("engine.create", "engine.start", "engine.stop", "engine.delete", "gateway.write", "gateway.acknowledge")
OUTAGE = "the outage that the rollout recreate caused"
SEEN_WITHIN_S = 20.0
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


@dataclass
class Witness:
    """Looks at the platform after each call by which the deployer changed it.

    Attributes:
        seen: what runs, and what the server is said to be, after each call.
    """

    other: EngineModelDeployer
    seen: list[tuple[str, list[int], ModelServer]] = field(default_factory=list)

    def around(self, call: Call, do: Do) -> Any:
        done = do()
        if call.name in CHANGES:
            (server,) = self.other.find_model_server()
            self.seen.append((call.name, _running(self.other), server))
        return done

    @property
    def in_between(self) -> list[ModelServer]:
        """What was told of the server as soon as the new revision had been started."""
        return [server for name, _, server in self.seen if name == "engine.start"]


def test_15_recreate_starts_the_new_revision_once_the_old_one_is_gone_and_says_503_in_between(
    harness: Harness,
) -> None:
    server = harness.deployer().deploy_model(harness.config("v1"))
    witness = Witness(harness.deployer())
    deployer = befall(harness.deployer(), witness)
    with harness.hammer(server) as hammer:
        _await_reply(hammer, Reply(200, "v1", 1))
        updated = deployer.deploy_model(harness.config("v2", **ALONE), replace=True)
        _await_reply(hammer, Reply(200, "v2", 2))
    assert (updated.uuid, updated.url, updated.revision, updated.state) == (server.uuid, server.url, 2, State.READY)
    assert max(len(running) for _, running, _ in witness.seen) == 1, "two ran at once"
    assert {reply.status for reply in hammer.failed} == {503}, "nobody was told honestly"
    told = [timed.reply.answer for timed in hammer.replies if timed.reply.ok]
    assert told == sorted(told), "the old one answered again"
    (between,) = witness.in_between
    assert (between.revision, between.state) == (1, State.PENDING)
    assert "nothing serves until a new revision does" in between.message and "outage" in between.message


def test_15_recreate_says_beforehand_and_at_each_step_that_it_causes_an_outage(harness: Harness) -> None:
    deployer, config = harness.deployer(), harness.config("v2", **ALONE)
    deployer.deploy_model(harness.config("v1"))
    (create,) = deployer.plan(config)
    assert "outage" in create.cause
    causes: list[str] = []
    deployer.on_progress = lambda progress: causes.append(f"{progress.step}: {progress.step.cause}")
    deployer.deploy_model(config, replace=True)
    assert any(cause.startswith("retire churn-r1") and "an outage until that serves" in cause for cause in causes)


def test_15_recreate_of_what_does_not_run_needs_no_room(harness: Harness) -> None:
    deployer = harness.deployer()
    first = deployer.deploy_model(harness.config("v1", **ALONE), replace=True)
    deployer.stop_model_server(first.uuid)
    deployer.deploy_model(harness.config("v2", **ALONE), replace=True)
    assert harness.ask(first) == Reply(200, "v2", 2)


def test_15_recreate_counts_the_drain_of_the_old_revision_against_no_timeout(harness: Harness) -> None:
    deployer = harness.deployer()
    server = deployer.deploy_model(harness.config("v1", drain=Drain(drain_s=4)))
    deployer.deploy_model(harness.config("v2", **ALONE), replace=True, timeout=3)
    assert harness.ask(server) == Reply(200, "v2", 2)


def test_15_recreate_with_a_timeout_of_zero_starts_it_where_the_old_one_was(harness: Harness) -> None:
    deployer = harness.deployer()
    server = deployer.deploy_model(harness.config("v1"))
    begun = deployer.deploy_model(harness.config("v2", delay_s=1, **ALONE), replace=True, timeout=0)
    assert (begun.uuid, begun.state, _running(deployer)) == (server.uuid, State.PENDING, [2])
    assert "reconcile" in begun.message and harness.ask(server).status == 503
    harness.deployer().reconcile()
    assert harness.ask(server) == Reply(200, "v2", 2)


@pytest.mark.parametrize(
    ("mode", "fields", "timeout", "error"),
    [
        ("exit", {}, 20, RevisionRefused),
        ("hang", {}, 2, RolloutTimeout),
        ("sick", {"probes": Probes(startup_s=1)}, 20, RevisionRefused),
    ],
)
def test_16_recreate_of_a_bad_revision_is_an_error_and_the_old_one_serves_again(
    harness: Harness, mode: str, fields: dict[str, Any], timeout: int, error: type[RevisionRefused]
) -> None:
    server = harness.deployer().deploy_model(harness.config("v1"))
    witness = Witness(harness.deployer())
    deployer = befall(harness.deployer(), witness)
    with pytest.raises(error) as raised:
        deployer.deploy_model(harness.config("v2", mode, **fields, **ALONE), replace=True, timeout=timeout)
    assert harness.ask(server) == Reply(200, "v1", 1)
    assert type(raised.value) is error and raised.value.serving == f"Revision 1 serves again, after {OUTAGE}."
    (found,) = harness.deployer().find_model_server()
    assert (found.uuid, found.revision, found.state) == (server.uuid, 1, State.READY)
    assert "revision 2 was refused" in found.message
    assert max(len(running) for _, running, _ in witness.seen) == 1, "two ran at once"


def test_16_recreate_that_fails_again_and_again_brings_the_old_revision_back_each_time(harness: Harness) -> None:
    """To make room is no death: it counts towards no back-off, and is never given up for it."""
    deployer = harness.deployer()
    server = deployer.deploy_model(harness.config("v1"))
    for revision in range(2, 6):
        with pytest.raises(RevisionRefused, match=f"Revision {revision} "):
            deployer.deploy_model(harness.config("v2", "exit", **ALONE), replace=True)
        assert harness.ask(server) == Reply(200, "v1", 1)


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


def test_16_recreate_that_replace_overtakes_is_ended_and_what_made_room_serves_until_the_end(harness: Harness) -> None:
    deployer = harness.deployer()
    server = deployer.deploy_model(harness.config("v1"))
    deployer.deploy_model(harness.config("v2", "hang", **ALONE), replace=True, timeout=0)
    with pytest.raises(RevisionRefused) as refused:
        deployer.deploy_model(harness.config("v3", delay_s=4, mode="exit"), replace=True)
    assert refused.value.serving == "Revision 1 serves on as before."
    assert harness.ask(server) == Reply(200, "v1", 1)
    deployer.deploy_model(harness.config("v4"), replace=True)
    assert (harness.ask(server), _running(deployer)) == (Reply(200, "v4", 4), [4])


def test_18_recreate_is_rolled_back_as_the_earlier_revision_was_rolled_out(harness: Harness) -> None:
    deployer = harness.deployer()
    server = deployer.deploy_model(harness.config("v1"))
    deployer.deploy_model(harness.config("v2", **ALONE), replace=True)
    with harness.hammer(server) as hammer:
        assert harness.ask(deployer.rollback(server.uuid)) == Reply(200, "v1", 3)
    assert hammer.sent and hammer.failed == []
    witness = Witness(harness.deployer())
    back = befall(harness.deployer(), witness).rollback(server.uuid, revision=2)
    assert harness.ask(back) == Reply(200, "v2", 4)
    assert max(len(running) for _, running, _ in witness.seen) == 1, "two ran at once"


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
    assert _running(harness.deployer()) == [found.revision]


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
    assert (stopped.state, _running(deployer), harness.ask(server).status) == (State.STOPPED, [], 503)
    deployer.start_model_server(server.uuid)
    assert (harness.ask(server), _running(deployer)) == (Reply(200, "v1", 1), [1])


def test_36_recreate_that_is_interrupted_brings_the_old_revision_back(harness: Harness) -> None:
    server = harness.deployer().deploy_model(harness.config("v1"))
    deployer = befall(harness.deployer(), Failure(nth("engine.start"), KeyboardInterrupt(), after=True))
    with pytest.raises(KeyboardInterrupt):
        deployer.deploy_model(harness.config("v2", "hang", **ALONE), replace=True)
    assert (harness.ask(server), _running(deployer)) == (Reply(200, "v1", 1), [1])


def _broken_off(harness: Harness, mode: str, death: Death) -> ModelServer:
    """A server whose deployer died while it recreated it."""
    server = harness.deployer().deploy_model(harness.config("v1"))
    with pytest.raises(Killed):
        befall(harness.deployer(), death).deploy_model(harness.config("v2", mode, **ALONE), replace=True)
    assert len(_running(harness.deployer())) <= 1, "two ran at once"
    return server


@contextmanager
def _frozen_at(harness: Harness, call: str, after: bool = False) -> Iterator[Future[ModelServer]]:
    """A rollout whose deployer stands still while the context is open; over with it."""
    freeze = Freeze(nth(call), after)
    deployer = befall(harness.deployer(), freeze)
    with ThreadPoolExecutor(1) as pool:
        rollout = pool.submit(deployer.deploy_model, harness.config("v2", **ALONE), replace=True)
        try:
            assert freeze.frozen.wait(SEEN_WITHIN_S), f"it came to no {call}"
            yield rollout
        finally:
            freeze.thaw()


def _running(deployer: EngineModelDeployer) -> list[int]:
    return [workload.revision for workload in deployer.engine.list() if workload.phase is Phase.RUNNING]


def _await_reply(hammer: Hammer, reply: Reply) -> None:
    until = time.monotonic() + SEEN_WITHIN_S
    while not any(timed.reply == reply for timed in hammer.replies[-20:]):
        assert time.monotonic() < until, f"nobody answers {reply}"
        time.sleep(0.02)
