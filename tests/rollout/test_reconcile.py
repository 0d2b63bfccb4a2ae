import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from deployer.config import Probes
from deployer.engine import Health, Readiness, Ref, Workload
from deployer.errors import EngineError, StateDirectoryUnusable
from deployer.flavors.memory.engine import MemoryEngine
from deployer.gateway import Backend
from deployer.rollout.converge import Converger
from deployer.rollout.plan import plan
from deployer.rollout.reconcile import AT_ONCE
from deployer.rollout.steps import Action, Progress
from deployer.rollout.view import Condition, ServerView
from deployer.rollout.wait import UNLIMITED
from deployer.server import State
from deployer.testing.faults import Call, Do, Watch, befall
from deployer.testing.hammer import Reply
from deployer.testing.memory import MemoryHarness
from tests.support import meddling
from tests.support.worlds import observed, routed_to

MET_WITHIN_S = 10.0


def harness_with(tmp_path: Path, *names: str) -> MemoryHarness:
    """Servers of those names, all of them killed."""
    harness = MemoryHarness(tmp_path)
    for name in names:
        harness.kill(harness.deployer().deploy_model(harness.config("v1", name=name)))
    return harness


class MeetingEngine(MemoryEngine):
    """An engine whose starts wait for one another."""

    def __init__(self, engine: MemoryEngine, parties: int) -> None:
        self.__dict__ = dict(engine.__dict__)
        self.barrier = threading.Barrier(parties)

    def start(self, ref: Ref) -> None:
        self.barrier.wait(MET_WITHIN_S)
        super().start(ref)


class PickyEngine(MemoryEngine):
    """An engine that will not start one server."""

    def __init__(self, engine: MemoryEngine, server: str) -> None:
        self.__dict__ = dict(engine.__dict__)
        self.refused = server

    def start(self, ref: Ref) -> None:
        if ref.server == self.refused:
            raise EngineError(f"{ref} may not start", hint="Ask nicely.")
        super().start(ref)


def test_servers_are_brought_back_side_by_side(tmp_path: Path) -> None:
    harness = harness_with(tmp_path, "a", "b", "c")
    deployer = harness.deployer()
    deployer.__dict__["engine"] = MeetingEngine(deployer.engine, parties=3)
    report = deployer.reconcile()
    assert sorted(server.name for server in report.changed) == ["a", "b", "c"] and report.failed == ()
    assert {server.state for server in deployer.find_model_server()} == {State.READY}


def test_an_error_in_one_server_is_reported_and_stops_no_other(tmp_path: Path) -> None:
    harness = harness_with(tmp_path, "a", "b", "c")
    deployer = harness.deployer()
    deployer.__dict__["engine"] = PickyEngine(deployer.engine, "b")
    report = deployer.reconcile()
    (failed,) = report.failed
    assert (failed.name, failed.error) == ("b", "b-r1 may not start\nThe route still names revision 1.\nAsk nicely.")
    states = {server.name: server.state for server in deployer.find_model_server()}
    assert states == {"a": State.READY, "b": State.FAILED, "c": State.READY}


def test_what_is_as_it_should_be_is_reported_without_steps(tmp_path: Path) -> None:
    harness = MemoryHarness(tmp_path)
    server = harness.deployer().deploy_model(harness.config("v1"))
    report = harness.deployer().reconcile()
    (only,) = report.servers
    assert (only.name, only.uuid, only.steps, only.pending, only.error) == ("churn", server.uuid, (), "", "")


@pytest.mark.parametrize("error", [StateDirectoryUnusable("The model store is full."), PermissionError(13, "no entry")])
def test_what_keeps_it_from_clearing_up_is_reported_beside_what_it_did(tmp_path: Path, error: Exception) -> None:
    deployer = harness_with(tmp_path, "a").deployer()
    meddling.instead(deployer.store, "collect", error)
    report = deployer.reconcile()
    assert [server.name for server in report.changed] == ["a"] and report.failed == ()
    assert report.troubles == (f"What is left over was not removed: {error}",) and not report.went_well


def test_each_step_is_reported_with_its_cause_and_seconds(tmp_path: Path) -> None:
    harness = harness_with(tmp_path, "a")
    (report,) = harness.deployer().reconcile().changed
    start = report.steps[0]
    assert (start.step.action, start.step.cause) == (Action.START, "it should serve and does not run")
    assert all(progress.seconds is not None for progress in report.steps)


def test_what_it_had_no_time_to_wait_for_is_reported_as_pending(tmp_path: Path) -> None:
    harness = MemoryHarness(tmp_path)
    harness.deployer().deploy_model(harness.config("v1", delay_s=1), timeout=0)
    (report,) = harness.deployer().reconcile(timeout=0).servers
    assert report.pending and not report.error
    assert harness.deployer().reconcile().failed == ()


def test_a_superseded_server_that_has_moved_on_stays(tmp_path: Path) -> None:
    """A deploy of its own has given it a new revision since."""
    harness = MemoryHarness(tmp_path)
    deployer = harness.deployer()
    old = deployer.deploy_model(harness.config("v1", name="old"))
    deployer.deploy_model(harness.config("v2", name="old"), replace=True)
    deployer._remove_superseded(old.uuid, 1)
    assert [server.revision for server in deployer.find_model_server()] == [2]
    deployer._remove_superseded(old.uuid, 2)
    assert deployer.find_model_server() == []


def test_slow_rollouts_keep_no_dead_server_waiting(tmp_path: Path) -> None:
    slow = [f"slow-{number}" for number in range(AT_ONCE)]
    harness = MemoryHarness(tmp_path)
    deployer = harness.deployer()
    servers = [deployer.deploy_model(harness.config("v1", name=name)) for name in (*slow, "dead")]
    for name in slow:
        deployer.deploy_model(harness.config("v2", name=name, delay_s=20), replace=True, timeout=0)
    harness.kill(dead := servers[-1])
    report = harness.deployer().reconcile(timeout=2)
    assert harness.ask(dead).ok
    assert sorted(server.name for server in report.servers if server.pending) == slow


def test_an_interruption_is_heard_at_once(tmp_path: Path, interrupt: Callable[[], None]) -> None:
    harness = MemoryHarness(tmp_path)
    deployer = harness.deployer()
    for name in ("a", "b"):
        deployer.deploy_model(harness.config("v1", name=name, delay_s=60), timeout=0)
    waiting = threading.Barrier(2, interrupt)

    def interrupt_once_both_wait(progress: Progress) -> None:
        if progress.step.action is Action.WAIT and progress.seconds is None:
            waiting.wait(MET_WITHIN_S)

    deployer.on_progress = interrupt_once_both_wait
    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        deployer.reconcile(timeout=20)
    assert time.monotonic() - began < 10
    assert [workload.wanted for workload in deployer.engine.list()] == ["running", "running"]


@pytest.fixture
def interrupt() -> Iterator[Callable[[], None]]:
    """Interrupts the main thread, as Ctrl-C does."""
    before = signal.signal(signal.SIGUSR1, signal.default_int_handler)
    yield lambda: signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGUSR1)
    signal.signal(signal.SIGUSR1, before)


def test_what_there_was_no_time_to_begin_is_pending_too(tmp_path: Path) -> None:
    (report,) = harness_with(tmp_path, "a").deployer().reconcile(timeout=0).servers
    assert report.pending == "it should serve and does not run"


def test_superseded_servers_whose_remover_was_killed_are_removed(tmp_path: Path) -> None:
    harness = MemoryHarness(tmp_path)
    deployer = harness.deployer()
    old, kept = (deployer.deploy_model(harness.config(answer)) for answer in ("a", "b"))
    engine = deployer.engine
    meddling.instead(engine, "mark", KeyboardInterrupt(), only=lambda ref, *_: ref.server == old.name)
    with pytest.raises(KeyboardInterrupt):
        deployer.deploy_model(harness.config("new"), replace=True)
    assert len(harness.deployer().find_model_server()) == 2
    harness.deployer().reconcile()
    assert [server.uuid for server in harness.deployer().find_model_server()] == [kept.uuid]


def test_a_conflict_is_no_failure_but_a_reason_to_look_again(tmp_path: Path) -> None:
    harness = MemoryHarness(tmp_path)
    deployer = harness.deployer()
    server = deployer.deploy_model(harness.config("v1"))
    converger = Converger(deployer._observer, deployer._executor(deployer.on_progress, UNLIMITED))
    stale = ServerView("churn", routed_to(None), (observed(1, Condition.READY),))
    step = plan(stale)[0]
    assert step.action is Action.ROUTE
    before = deployer.gateway.routes()
    converger.carry_out(stale, step)
    assert deployer.gateway.routes() == before
    assert harness.ask(server).ok


def test_what_may_take_long_to_answer_is_routed_anew_too(tmp_path: Path) -> None:
    harness = MemoryHarness(tmp_path)
    deployer, reconciler = harness.deployer(), harness.deployer()
    server = deployer.deploy_model(harness.config("v1", probes=Probes(timeout_s=9, settle_s=0)))
    route = deployer.gateway.routes()["churn"]
    deployer.gateway.write("churn", (Backend(1, ""),), 1, route.tag)
    probe = reconciler.engine.probe

    def slow(workloads: Sequence[Workload], deadline_s: float) -> dict[Ref, Readiness]:
        late = {workload.ref: Readiness(Health.SILENT) for workload in workloads}
        return probe(workloads, deadline_s) if deadline_s > 8 else late

    reconciler.engine.probe = slow  # type: ignore[method-assign]
    reconciler.reconcile()
    assert harness.ask(server) == Reply(200, "v1", 1)


def test_where_all_is_as_it_should_be_everything_is_read_once(tmp_path: Path) -> None:
    harness = MemoryHarness(tmp_path)
    for name in ("a", "b", "c"):
        harness.deployer().deploy_model(harness.config("v1", name=name))
    deployer = befall(harness.deployer(), watch := Watch())
    assert deployer.reconcile().changed == ()
    routes, workloads = "gateway.routes", "engine.list"
    looked = [routes, workloads, routes, "engine.probe"]
    assert [call.name for call in watch.calls] == ["gateway.ensure", *looked, "store.collect"]


def test_a_revision_made_while_it_reconciles_keeps_its_bytes(tmp_path: Path) -> None:
    harness = MemoryHarness(tmp_path)
    other = harness.deployer()
    digest = other.deploy_model(harness.config("v1", name="a")).digest
    other.delete_model_server(other.find_model_server()[0].uuid)
    os.utime(other.store.root / digest, times=(0, 0))

    class Meanwhile:
        def around(self, call: Call, do: Do) -> Any:
            if call.name == "store.collect":
                other.deploy_model(harness.config("v1", name="b"))
            return do()

    befall(harness.deployer(), Meanwhile()).reconcile()
    assert other.store.has(digest)
    harness.deployer().reconcile()
    assert other.store.has(digest)
