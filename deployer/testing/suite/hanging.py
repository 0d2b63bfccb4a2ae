"""Scenario 28 where a server does not die but hangs: it is restarted if its config says so, on nobody's old word."""

import time
from typing import Any

from deployer.config import Probes
from deployer.engine import Engine, Phase, RemembersSilence, Workload
from deployer.rollout.reconcile import Report
from deployer.rollout.steps import Action
from deployer.server import ModelServer, State
from deployer.testing.hammer import Reply
from deployer.testing.harness import Harness

STARTUP_S, ALLOWED_S, ANSWER_S = 5.0, 0.5, 0.5
RESTARTED_WITHIN_S = 30.0


def test_28_what_hangs_for_longer_than_its_config_allows_is_restarted(harness: Harness) -> None:
    server = _deployed(harness)
    harness.hang(server)
    (found,) = harness.deployer().find_model_server()
    assert found.state is State.UNKNOWN and f"restarts it once that has been so for {ALLOWED_S:g} s" in found.message
    assert _workload(harness).silent_s is None, "who only looks has written something down"
    assert _actions(harness.deployer().reconcile()) == [Action.NOTE_SILENCE]
    seen = [Action.NOTE_SILENCE, *_actions_until_it_answers(harness, server)]
    assert [action for action in seen if action is not Action.WAIT] == [Action.NOTE_SILENCE, Action.KILL, Action.START]
    assert harness.ask(server) == Reply(200, "v1", 1)
    assert _workload(harness).silent_s is None, "its next run is held to the silence of the last"


def test_28_what_hangs_is_not_restarted_before_its_time_to_start_is_over(harness: Harness) -> None:
    server = _deployed(harness, startup_s=300)
    harness.hang(server)
    _let_silence_pass(harness)
    assert harness.deployer().reconcile().changed == ()
    assert (_workload(harness).phase, _workload(harness).starts) == (Phase.RUNNING, 1)


def test_28_what_hangs_is_left_alone_where_its_config_allows_nothing(harness: Harness) -> None:
    server = _deployed(harness, restart_hung_s=0)
    harness.hang(server)
    assert harness.deployer().reconcile().changed == ()
    assert _workload(harness).silent_s is None


def test_28_what_answers_again_was_never_silent(harness: Harness) -> None:
    server = _deployed(harness)
    _let_silence_pass(harness)
    assert _actions(harness.deployer().reconcile()) == [Action.FORGET_SILENCE]
    assert _workload(harness).silent_s is None
    assert harness.deployer().find_model_server() == [server]


def test_34_what_is_to_be_killed_is_asked_once_more(harness: Harness) -> None:
    """By a deployer that was frozen since it found it silent."""
    server = _deployed(harness)
    _let_silence_pass(harness)
    engine = _engine(harness)
    engine.kill_silent(_workload(harness).ref, ALLOWED_S)
    assert harness.ask(server) == Reply(200, "v1", 1)
    assert _workload(harness).silent_s is None, "it has answered"


def test_34_what_has_not_been_silent_for_so_long_is_not_killed(harness: Harness) -> None:
    """By a deployer that was frozen since it found it silent, while another restarted it and it hangs anew."""
    server = _deployed(harness)
    harness.hang(server)
    engine = _engine(harness)
    engine.kill_silent(_workload(harness).ref, 60)
    engine.note_silence(_workload(harness).ref, True)
    engine.kill_silent(_workload(harness).ref, 60)
    assert _workload(harness).phase is Phase.RUNNING


def _deployed(harness: Harness, **probes: float) -> ModelServer:
    times: dict[str, Any] = {"settle_s": 0.05, "startup_s": STARTUP_S, "timeout_s": ANSWER_S}
    config = harness.config("v1", probes=Probes(**{**times, "restart_hung_s": ALLOWED_S, **probes}))
    return harness.deployer().deploy_model(config)


def _let_silence_pass(harness: Harness) -> None:
    """It is noted that it is silent, for longer than its config allows."""
    _engine(harness).note_silence(_workload(harness).ref, True)
    until = time.monotonic() + RESTARTED_WITHIN_S
    while (_workload(harness).silent_s or 0) < ALLOWED_S:
        assert time.monotonic() < until, "its silence does not last"
        time.sleep(0.05)


def _actions_until_it_answers(harness: Harness, server: ModelServer) -> list[Action]:
    """What reconciles do, each by another deployer."""
    done, until = list[Action](), time.monotonic() + RESTARTED_WITHIN_S
    while harness.deployer().find_model_server() != [server]:
        assert time.monotonic() < until, f"nobody restarts it, after {done}"
        done += _actions(harness.deployer().reconcile())
    return done


def _actions(report: Report) -> list[Action]:
    return [progress.step.action for server in report.servers for progress in server.steps]


def _workload(harness: Harness) -> Workload:
    (workload,) = harness.deployer().engine.list()
    return workload


def _engine(harness: Harness) -> RemembersSilence:
    engine: Engine = harness.deployer().engine
    assert isinstance(engine, RemembersSilence), "its flavor has the trait SILENCE_IS_FORGOTTEN"
    return engine
