"""Scenario 26: two deployers that replace one server at the same time."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Event
from typing import Any

from deployer.config import Drain, Probes
from deployer.engine_deployer import EngineModelDeployer
from deployer.errors import Superseded
from deployer.rollout.steps import Action, Progress
from deployer.server import ModelServer, State
from deployer.testing.hammer import Reply
from deployer.testing.harness import Harness

ROUNDS = 20
ROUTED_WITHIN_S = 20.0
BRIEF: dict[str, Any] = {"probes": Probes(settle_s=0.1, startup_s=20), "drain": Drain(drain_s=0.1, grace_s=5)}
Told = ModelServer | Superseded


def test_26_of_two_who_replace_at_once_one_stays_and_each_is_told_the_truth(harness: Harness) -> None:
    server = harness.deployer().deploy_model(harness.config("first", **BRIEF))
    overtaken = 0
    with harness.hammer(server) as hammer:
        for number in range(ROUNDS):
            answers = (f"a{number}", f"b{number}")
            deployers = [harness.deployer() for _ in answers]
            routed = _revisions_routed_by(deployers)
            told = _replace_at_once(harness, deployers, answers)
            overtaken += sum(isinstance(one, Superseded) for one in told)
            _assert_one_stays(harness, server, answers, told)
            _assert_told_the_truth(told, routed)
    assert hammer.sent and hammer.failed == []
    assert overtaken, "they never met"


def test_26_who_served_and_was_replaced_before_its_deploy_ended_is_told_that_it_served(harness: Harness) -> None:
    first, second = harness.deployer(), harness.deployer()
    first.deploy_model(harness.config("v1", drain=Drain(drain_s=1.5)))
    routed = Event()
    first.on_progress = lambda progress: routed.set() if _has_routed(progress) else None
    with ThreadPoolExecutor(1) as pool:
        replaced = pool.submit(first.deploy_model, harness.config("v2"), replace=True)
        assert routed.wait(ROUTED_WITHIN_S)
        last = second.deploy_model(harness.config("v3"), replace=True)
    assert (replaced.result().revision, replaced.result().state, last.revision) == (2, State.READY, 3)
    assert harness.ask(last) == Reply(200, "v3", 3)


def _replace_at_once(harness: Harness, deployers: Sequence[EngineModelDeployer], answers: Sequence[str]) -> list[Told]:
    """What each was told."""
    start = Barrier(len(deployers))
    configs = [harness.config(answer, **BRIEF) for answer in answers]

    def replace(number: int) -> Told:
        start.wait()
        try:
            return deployers[number].deploy_model(configs[number], replace=True)
        except Superseded as error:
            return error

    with ThreadPoolExecutor(len(deployers)) as pool:
        return list(pool.map(replace, range(len(deployers))))


def _assert_one_stays(harness: Harness, server: ModelServer, answers: Sequence[str], told: Sequence[Told]) -> None:
    """The one with the higher number, which its deployer was told; nothing is left of the other."""
    deployer = harness.deployer()
    (found,) = deployer.find_model_server()
    assert (found.uuid, found.url, found.state) == (server.uuid, server.url, State.READY)
    assert [workload.revision for workload in deployer.engine.list()] == [found.revision]
    served = {one.revision: answer for one, answer in zip(told, answers, strict=True) if isinstance(one, ModelServer)}
    assert max(served) == found.revision
    assert harness.ask(server) == Reply(200, served[found.revision], found.revision)


def _assert_told_the_truth(told: Sequence[Told], routed: set[int]) -> None:
    """Who returned has served; who was superseded has not."""
    returned = {one.revision for one in told if isinstance(one, ModelServer)}
    assert len(returned) + sum(isinstance(one, Superseded) for one in told) == len(told)
    assert returned == routed


def _revisions_routed_by(deployers: Sequence[EngineModelDeployer]) -> set[int]:
    """Those that take requests, by the gateway's acknowledgement, from now on."""
    routed: set[int] = set()

    def note(progress: Progress) -> None:
        if _has_routed(progress) and progress.step.backend:
            routed.add(progress.step.backend.revision)

    for deployer in deployers:
        deployer.on_progress = note
    return routed


def _has_routed(progress: Progress) -> bool:
    return progress.step.action is Action.ROUTE and progress.seconds is not None
