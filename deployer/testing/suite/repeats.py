"""Scenario 33: a flow that is run twice, or retried after its deployer died."""

from pathlib import Path

import pytest

from deployer import provenance
from deployer.config import ModelServerConfig, Provenance
from deployer.server import ModelServer, State
from deployer.testing.faults import Death, Killed, befall, nth
from deployer.testing.hammer import Reply
from deployer.testing.harness import Harness
from deployer.testing.models import write_model

Crash = tuple[str, bool]
"""At which call the deployer died, and whether the call took effect before."""

CRASHES: list[Crash] = [
    ("store.add", True),
    ("engine.create", False),
    ("engine.create", True),
    ("engine.start", True),
    ("gateway.write", False),
    ("gateway.write", True),
    ("gateway.acknowledge", True),
]
CRASHES_OF_A_REPLACE: list[Crash] = [*CRASHES, ("engine.stop", True), ("engine.delete", True)]


def _in_words(crash: Crash) -> str:
    call, after = crash
    return f"{'after' if after else 'before'} {call}"


@pytest.mark.parametrize("crash", CRASHES, ids=_in_words)
def test_33_a_first_deploy_retried_after_a_crash_leaves_one_healthy_server(
    harness: Harness, monkeypatch: pytest.MonkeyPatch, crash: Crash
) -> None:
    _within_flow_run("only", monkeypatch)
    config = harness.config("v1")
    _deploy_and_crash(harness, config, crash, replace=False)
    retried = harness.deployer().deploy_model(config, replace=False)
    _assert_the_only_server_answers(harness, retried, "v1")


@pytest.mark.parametrize("crash", CRASHES_OF_A_REPLACE, ids=_in_words)
def test_33_a_replace_retried_after_a_crash_leaves_one_healthy_server(
    harness: Harness, monkeypatch: pytest.MonkeyPatch, crash: Crash
) -> None:
    _within_flow_run("first", monkeypatch)
    first = harness.deployer().deploy_model(harness.config("v1"), replace=True)
    _within_flow_run("second", monkeypatch)
    config = harness.config("v2")
    _deploy_and_crash(harness, config, crash, replace=True)
    retried = harness.deployer().deploy_model(config, replace=True)
    assert (retried.uuid, retried.url, retried.revision) == (first.uuid, first.url, 2)
    _assert_the_only_server_answers(harness, retried, "v2")


def test_33_a_flow_whose_retry_trained_another_model_leaves_one_server_of_the_newest(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    _within_flow_run("only", monkeypatch)
    config = harness.config("v1")
    _deploy_and_crash(harness, config, ("engine.start", True), replace=False)
    retried = harness.deployer().deploy_model(_trained_anew(config, "v2"))
    _assert_the_only_server_answers(harness, retried, "v2")


def test_33_a_flow_run_twice_leaves_one_server_of_the_newest_model(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = harness.config("v1")
    _within_flow_run("first", monkeypatch)
    first = harness.deployer().deploy_model(config, replace=True)
    _within_flow_run("second", monkeypatch)
    second = harness.deployer().deploy_model(_trained_anew(config, "v2"), replace=True)
    assert (second.uuid, second.url, second.revision) == (first.uuid, first.url, 2)
    _assert_the_only_server_answers(harness, second, "v2")


def _within_flow_run(run_id: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As far as a deployer can tell, it is asked by this run of one flow's task from now on."""
    origin = Provenance(pipeline_name="train", pipeline_run_id=run_id, pipeline_step_name="deploy")
    monkeypatch.setattr(provenance, "current", lambda: origin)


def _deploy_and_crash(harness: Harness, config: ModelServerConfig, crash: Crash, replace: bool) -> None:
    call, after = crash
    with pytest.raises(Killed):
        befall(harness.deployer(), Death(nth(call), after)).deploy_model(config, replace)


def _trained_anew(config: ModelServerConfig, answer: str) -> ModelServerConfig:
    """The same config, another model at its URI."""
    write_model(Path(config.model_uri), answer)
    return config


def _assert_the_only_server_answers(harness: Harness, server: ModelServer, answer: str) -> None:
    assert harness.deployer().reconcile().failed == ()
    (found,) = harness.deployer().find_model_server()
    assert found == server and found.state is State.READY
    assert harness.ask(found) == Reply(200, answer, found.revision)
