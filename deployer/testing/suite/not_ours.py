"""Scenario 24: what claims to be ours and is not is named, and never touched."""

from collections.abc import Callable

import pytest

from deployer.errors import EngineError, RevisionRefused
from deployer.server import ModelServer, State
from deployer.testing.hammer import Reply
from deployer.testing.harness import Harness, HarnessWithStrangers
from deployer.testing.strangers import NEWER

OPERATIONS: dict[str, Callable[[Harness, ModelServer, ModelServer], object]] = {
    "find": lambda harness, _, __: harness.deployer().find_model_server(),
    "deploy": lambda harness, _, __: harness.deployer().deploy_model(harness.config("v1", name="other")),
    "replace": lambda harness, churn, _: harness.deployer().deploy_model(harness.config("v2", name=churn.name), True),
    "refusal": lambda harness, churn, _: _deploy_what_is_refused(harness, churn),
    "rollback": lambda harness, churn, _: harness.deployer().rollback(churn.uuid),
    "start": lambda harness, _, asleep: harness.deployer().start_model_server(asleep.uuid),
    "kill": lambda harness, _, asleep: harness.kill(asleep),
    "reconcile": lambda harness, _, __: harness.deployer().reconcile(),
    "stop": lambda harness, _, asleep: harness.deployer().stop_model_server(asleep.uuid),
    "delete": lambda harness, _, asleep: harness.deployer().delete_model_server(asleep.uuid),
}


def test_24_all_goes_on_beside_strangers_which_are_named_and_never_touched(harness: HarnessWithStrangers) -> None:
    deployer = harness.deployer()
    churn, asleep = (deployer.deploy_model(harness.config("v1", name=name)) for name in ("churn", "asleep"))
    deployer.stop_model_server(asleep.uuid)
    with harness.strangers() as strangers:
        for name, operation in OPERATIONS.items():
            operation(harness, churn, asleep)
            assert strangers.harm() == "", f"{name} did it"
        told = harness.deployer().unreadable()
        servers = harness.deployer().find_model_server()
    assert {thing.where for thing in told} == strangers.claims
    assert all(thing.reason for thing in told)
    assert [(server.name, server.state) for server in servers] == [("other", State.READY), ("churn", State.READY)]
    assert harness.ask(churn) == Reply(200, "v1", 4)


def test_24_a_server_that_only_a_newer_library_can_read_keeps_its_route_and_its_name(
    harness: HarnessWithStrangers,
) -> None:
    harness.deployer().deploy_model(harness.config("v1"))
    with harness.strangers() as strangers:
        with pytest.raises(EngineError, match=f"{NEWER} .*cannot be read"):
            harness.deployer().deploy_model(harness.config("v1", name=NEWER), replace=True)
        assert harness.deployer().reconcile().changed == ()
        assert strangers.harm() == ""


def test_24_a_stranger_in_the_place_of_the_next_revision_is_named_and_nothing_is_lost(
    harness: HarnessWithStrangers,
) -> None:
    server = harness.deployer().deploy_model(harness.config("v1"))
    with harness.strangers(in_the_way_of=server) as strangers:
        with pytest.raises(EngineError, match="churn-r2") as refused:
            harness.deployer().deploy_model(harness.config("v2"), replace=True)
        assert "unreadable" in refused.value.hint
        assert strangers.harm() == ""
        assert harness.deployer().find_model_server() == [server]
        assert harness.ask(server) == Reply(200, "v1", 1)
    harness.deployer().deploy_model(harness.config("v2"), replace=True)
    assert harness.ask(server) == Reply(200, "v2", 2)


def _deploy_what_is_refused(harness: Harness, server: ModelServer) -> None:
    with pytest.raises(RevisionRefused):
        harness.deployer().deploy_model(harness.config("v3", "exit", name=server.name), replace=True)
