"""Scenarios 15, 16 and 18 where the rollout is `recreate`: nothing runs beside the new revision, at the price of an
outage that everybody is told of."""

import time
from typing import Any

import pytest

from deployer.config import Drain, Probes
from deployer.errors import RevisionRefused, RolloutTimeout
from deployer.server import State
from deployer.testing.faults import befall
from deployer.testing.hammer import Hammer, Reply
from deployer.testing.harness import Harness
from deployer.testing.witness import Witness, running

ALONE: dict[str, Any] = {"rollout": "recreate"}
OUTAGE = "the outage that the rollout recreate caused"
SEEN_WITHIN_S = 20.0


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
    assert witness.most_at_once == 1, "two ran at once"
    assert {reply.status for reply in hammer.failed} == {503}, "nobody was told honestly"
    told = [timed.reply.answer for timed in hammer.replies if timed.reply.ok]
    assert told == sorted(told), "the old one answered again"
    (between,) = (seen.server for seen in witness.seen if seen.call == "engine.start")
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
    server = deployer.deploy_model(harness.config("v1", drain=Drain(drain_s=8)))
    deployer.deploy_model(harness.config("v2", **ALONE), replace=True, timeout=6)
    assert harness.ask(server) == Reply(200, "v2", 2)


def test_15_recreate_with_a_timeout_of_zero_starts_it_where_the_old_one_was(harness: Harness) -> None:
    deployer = harness.deployer()
    server = deployer.deploy_model(harness.config("v1"))
    begun = deployer.deploy_model(harness.config("v2", delay_s=1, **ALONE), replace=True, timeout=0)
    assert (begun.uuid, begun.state, running(deployer)) == (server.uuid, State.PENDING, [2])
    assert "reconcile" in begun.message and harness.ask(server).status == 503
    harness.deployer().reconcile()
    assert harness.ask(server) == Reply(200, "v2", 2)


@pytest.mark.parametrize(
    ("mode", "fields", "timeout", "error"),
    [
        ("exit", {}, 20, RevisionRefused),
        ("hang", {}, 6, RolloutTimeout),
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
    assert witness.most_at_once == 1, "two ran at once"


def test_16_recreate_that_fails_again_and_again_brings_the_old_revision_back_each_time(harness: Harness) -> None:
    """To make room is no death: it counts towards no back-off, and is never given up for it."""
    deployer = harness.deployer()
    server = deployer.deploy_model(harness.config("v1"))
    for revision in range(2, 6):
        with pytest.raises(RevisionRefused, match=f"Revision {revision} "):
            deployer.deploy_model(harness.config("v2", "exit", **ALONE), replace=True)
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
    assert (harness.ask(server), running(deployer)) == (Reply(200, "v4", 4), [4])


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
    assert witness.most_at_once == 1, "two ran at once"


def _await_reply(hammer: Hammer, reply: Reply) -> None:
    until = time.monotonic() + SEEN_WITHIN_S
    while not any(timed.reply == reply for timed in hammer.replies[-20:]):
        assert time.monotonic() < until, f"nobody answers {reply}"
        time.sleep(0.02)
