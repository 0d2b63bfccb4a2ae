"""Scenarios 15 and 17 to 19: one URL that stays up while the model changes."""

import threading
import time
from pathlib import Path
from typing import Any

from deployer.config import Drain, Probes, Provenance
from deployer.engine import Phase, Workload
from deployer.engine_deployer import EngineModelDeployer
from deployer.errors import RevisionRefused
from deployer.rollout.steps import Action, Progress
from deployer.testing.hammer import Hammer, Reply
from deployer.testing.harness import Harness
from deployer.testing.models import write_model

REPLACES = 20
SLOW_S = 1.0
SEEN_WITHIN_S = 10.0


def test_15_at_full_speed_no_request_of_20_replaces_fails_or_meets_an_old_revision(harness: Harness) -> None:
    deployer = harness.deployer()
    brief: dict[str, Any] = {"probes": Probes(settle_s=0.1), "drain": Drain(drain_s=0.1)}
    server = deployer.deploy_model(harness.config("v0", **brief))
    acknowledged = _acknowledgements(deployer)
    with harness.hammer(server) as hammer:
        _await_answers(hammer, "v0")
        for number in range(1, REPLACES + 1):
            deployer.deploy_model(harness.config(f"v{number}", **brief), replace=True)
        _await_answers(hammer, f"v{REPLACES}")
    assert hammer.failed == []
    assert len(acknowledged) == REPLACES
    for number, moment in enumerate(acknowledged):
        old = {f"v{older}" for older in range(number + 1)}
        assert not hammer.answers_begun_after(moment) & old, f"answered after revision {number + 2} was acknowledged"


def test_15_slow_requests_in_flight_finish(harness: Harness) -> None:
    deployer = harness.deployer()
    server = deployer.deploy_model(harness.config("v1", work_s=SLOW_S))
    acknowledged = _acknowledgements(deployer)
    with harness.hammer(server) as hammer:
        _await_answers(hammer, "v1")
        deployer.deploy_model(harness.config("v2", work_s=SLOW_S), replace=True)
        _await_answers(hammer, "v2")
    (moment,) = acknowledged
    in_flight = [timed for timed in hammer.replies if timed.began < moment < timed.ended]
    assert "v1" in {timed.reply.answer for timed in in_flight}, "no request was in flight"
    assert hammer.failed == []
    assert hammer.answers_begun_after(moment) == {"v2"}


def test_15_the_old_revision_runs_on_for_its_whole_drain(harness: Harness) -> None:
    deployer, drain_s = harness.deployer(), 1.5
    deployer.deploy_model(harness.config("v1", drain=Drain(drain_s=drain_s)))
    acknowledged = _acknowledgements(deployer)
    rollout = threading.Thread(target=deployer.deploy_model, args=(harness.config("v2"), True))
    rollout.start()
    while rollout.is_alive():
        old = [workload.phase for workload in deployer.engine.list() if workload.revision == 1]
        in_drain = bool(acknowledged) and time.monotonic() < acknowledged[0] + drain_s
        assert not in_drain or old == [Phase.RUNNING], "stopped before its drain was over"
        time.sleep(0.02)
    assert time.monotonic() >= acknowledged[0] + drain_s, "it did not wait for its drain"
    assert [workload.revision for workload in deployer.engine.list()] == [2]


def test_17_deploying_the_same_again_changes_nothing(harness: Harness) -> None:
    deployer = harness.deployer()
    server = deployer.deploy_model(harness.config("v1", provenance=Provenance(pipeline_run_id="1")), replace=True)
    (before,) = deployer.engine.list()
    with harness.hammer(server) as hammer:
        again = [
            harness.deployer().deploy_model(harness.config("v1", provenance=Provenance(pipeline_run_id=run)), True)
            for run in ("1", "2")
        ]
    (after,) = deployer.engine.list()
    assert [s.revision for s in again] == [1, 1] and deployer.find_model_server() == [server]
    assert _run_of(after) == _run_of(before) and after.age_s > before.age_s, "it was restarted"
    assert hammer.sent and hammer.failed == []


def test_17_a_revision_is_the_bytes_that_were_deployed_whatever_their_path_holds_now(harness: Harness) -> None:
    deployer, config = harness.deployer(), harness.config("v1")
    server = deployer.deploy_model(config, replace=True)
    write_model(Path(config.model_uri), "v2")
    harness.kill(server)
    deployer.reconcile()
    assert harness.ask(server) == Reply(200, "v1", 1)
    assert deployer.deploy_model(config, replace=True).revision == 2
    assert harness.ask(server) == Reply(200, "v2", 2)
    assert harness.ask(deployer.rollback(server.uuid)) == Reply(200, "v1", 3)


def test_18_rolling_back_goes_back_further_each_time_and_fails_no_request(harness: Harness) -> None:
    deployer = harness.deployer()
    server = deployer.deploy_model(harness.config("v1"))
    for answer in ("v2", "v3"):
        deployer.deploy_model(harness.config(answer), replace=True)
    with harness.hammer(server) as hammer:
        for revision, answer in ((4, "v2"), (5, "v1")):
            back = harness.deployer().rollback(server.uuid)
            assert (back.uuid, back.url, back.revision) == (server.uuid, server.url, revision)
            assert harness.ask(server) == Reply(200, answer, revision)
    assert hammer.sent and hammer.failed == []


def test_18_rolling_back_passes_over_what_was_refused_or_goes_where_it_is_told(harness: Harness) -> None:
    deployer = harness.deployer()
    server = deployer.deploy_model(harness.config("v1"))
    try:
        deployer.deploy_model(harness.config("v2", mode="exit"), replace=True)
    except RevisionRefused:
        deployer.deploy_model(harness.config("v3"), replace=True)
    assert harness.ask(deployer.rollback(server.uuid)) == Reply(200, "v1", 4)
    assert harness.ask(deployer.rollback(server.uuid, revision=3)) == Reply(200, "v3", 5)


def test_19_several_models_of_one_flow_and_task_stay_apart(harness: Harness) -> None:
    deployer = harness.deployer()
    provenance = Provenance(pipeline_name="train", pipeline_run_id="run", pipeline_step_name="deploy")
    first, other = (
        deployer.deploy_model(harness.config("v1", model_name=name, provenance=provenance), replace=True)
        for name in ("churn", "fraud")
    )
    updated = deployer.deploy_model(harness.config("v2", model_name="churn", provenance=provenance), replace=True)
    assert updated.uuid == first.uuid
    assert deployer.find_model_server() == [other, updated]
    assert (harness.ask(first), harness.ask(other)) == (Reply(200, "v2", 2), Reply(200, "v1", 1))


def _acknowledgements(deployer: EngineModelDeployer) -> list[float]:
    """When the gateway said that it routes anew, from now on; by `time.monotonic`."""
    moments: list[float] = []

    def note(progress: Progress) -> None:
        if progress.step.action is Action.ROUTE and progress.seconds is not None:
            moments.append(time.monotonic())

    deployer.on_progress = note
    return moments


def _await_answers(hammer: Hammer, answer: str) -> None:
    until = time.monotonic() + SEEN_WITHIN_S
    while not any(timed.reply.answer == answer for timed in hammer.replies[-20:]):
        assert time.monotonic() < until, f"nobody answers {answer}"
        time.sleep(0.02)


def _run_of(workload: Workload) -> tuple[object, ...]:
    return workload.ref, workload.starts, workload.address
