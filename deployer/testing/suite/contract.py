"""Scenarios 1 to 5: what a deploy makes of what is there."""

from typing import Any

import pytest
from pydantic import ValidationError

from deployer.config import Drain, Probes, Provenance
from deployer.engine_deployer import EngineModelDeployer
from deployer.errors import ServerAlreadyExists
from deployer.rollout.steps import Action, Progress
from deployer.server import State
from deployer.testing.hammer import Reply
from deployer.testing.harness import Harness

ALL_THERE_IS_TO_SAY: dict[str, Any] = {
    "model_type": "a naïve classifier",
    "env": {"MODE": 'strict, with = and "quotes"', "EMPTY": ""},
    "secrets": {"TOKEN": "env:PATH"},
    "rollout": "recreate",
    "probes": Probes(settle_s=0.25, startup_s=21, timeout_s=3),
    "drain": Drain(drain_s=0.15, grace_s=4),
    "provenance": Provenance(pipeline_name="train", pipeline_run_id="run-1", pipeline_step_name="deploy"),
}


def test_01_a_config_without_any_name_is_told_which_to_give(harness: Harness) -> None:
    with pytest.raises(ValidationError, match=r"`name`.*`model_name`"):
        harness.config("v1", model_name="")
    assert harness.deployer().find_model_server() == []


def test_02_a_model_name_alone_names_the_server_which_reads_back_equal(harness: Harness) -> None:
    config = harness.config("v1", model_name="churn", **ALL_THERE_IS_TO_SAY)
    server = harness.deployer().deploy_model(config)
    assert (server.name, server.revision, server.state) == ("churn", 1, State.READY)
    (found,) = harness.deployer().find_model_server()
    assert found == server and found.config == config
    assert (found.model_type, found.provenance) == (config.model_type, config.provenance)
    assert harness.ask(server) == Reply(200, "v1", 1)


def test_03_deploying_again_with_replace_keeps_the_uuid_and_the_url(harness: Harness) -> None:
    first = harness.deployer().deploy_model(harness.config("v1"), replace=True)
    second = harness.deployer().deploy_model(harness.config("v2"), replace=True)
    assert (second.uuid, second.url, second.revision) == (first.uuid, first.url, 2)
    assert harness.deployer().find_model_server() == [second]
    assert harness.ask(first) == Reply(200, "v2", 2)


def test_04_deploying_again_without_replace_makes_a_second_server(harness: Harness) -> None:
    deployer = harness.deployer()
    first = deployer.deploy_model(harness.config("v1"))
    second = deployer.deploy_model(harness.config("v2"))
    assert (second.name, second.revision) == ("churn-2", 1)
    assert second.uuid != first.uuid and second.url != first.url
    assert deployer.find_model_server() == [second, first]
    assert [harness.ask(server).answer for server in (first, second)] == ["v1", "v2"]


def test_04_a_name_that_is_taken_is_refused_and_its_server_stays(harness: Harness) -> None:
    deployer = harness.deployer()
    first = deployer.deploy_model(harness.config("v1", name="main"))
    with pytest.raises(ServerAlreadyExists, match="main") as refused:
        deployer.deploy_model(harness.config("v2", name="main"))
    assert str(first.uuid) in str(refused.value) and "replace" in refused.value.hint
    assert deployer.find_model_server() == [first]
    assert harness.ask(first) == Reply(200, "v1", 1)


def test_05_replacing_several_equivalent_servers_leaves_the_newest_updated(harness: Harness) -> None:
    deployer = harness.deployer()
    servers = [deployer.deploy_model(harness.config(answer)) for answer in ("a", "b", "c")]
    done = _steps_of(deployer)
    updated = deployer.deploy_model(harness.config("new"), replace=True)
    assert (updated.uuid, updated.url, updated.revision) == (servers[-1].uuid, servers[-1].url, 2)
    assert harness.deployer().find_model_server() == [updated]
    served, removed = (updated.name, Action.ROUTE), (updated.name, Action.REMOVE_SERVER)
    assert done.count(removed) == 2
    assert done.index(served) < done.index(removed), "removed before the new one served"
    assert harness.ask(updated) == Reply(200, "new", 2)


def _steps_of(deployer: EngineModelDeployer) -> list[tuple[str, Action]]:
    """What it does from now on, once it is done, and to which server."""
    done: list[tuple[str, Action]] = []

    def note(progress: Progress) -> None:
        if progress.seconds is not None:
            done.append((progress.server, progress.step.action))

    deployer.on_progress = note
    return done
