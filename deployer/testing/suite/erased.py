"""Scenario 20: routes, caches and the model store are lost; the records stand."""

from pathlib import Path

import pytest

from deployer.errors import ModelGone
from deployer.server import ModelServer, State
from deployer.testing.hammer import Reply
from deployer.testing.harness import Harness
from deployer.testing.models import write_model


def test_20_the_registry_is_in_the_records_and_reconcile_rebuilds_the_routes(harness: Harness) -> None:
    deployer = harness.deployer()
    churn, fraud, asleep = (deployer.deploy_model(harness.config("v1", name=n)) for n in ("churn", "fraud", "asleep"))
    deployer.deploy_model(harness.config("v2", name="churn"), replace=True)
    deployer.stop_model_server(asleep.uuid)
    before, history = deployer.find_model_server(), deployer.history(churn.uuid)
    harness.erase_all_but_records()
    assert list(map(_lasting, harness.deployer().find_model_server())) == list(map(_lasting, before))
    assert harness.deployer().reconcile().failed == ()
    assert harness.deployer().find_model_server() == before
    assert harness.deployer().history(churn.uuid) == history
    assert [harness.ask(server) for server in (churn, fraud)] == [Reply(200, "v2", 2), Reply(200, "v1", 1)]
    assert harness.ask(asleep).status == 503
    assert harness.deployer().deploy_model(harness.config("v3", name="churn"), replace=True).revision == 3
    assert harness.ask(churn) == Reply(200, "v3", 3)


@pytest.mark.parametrize("by", ["reconcile", "start"])
def test_20_what_dies_without_its_stored_model_comes_back_with_the_same_from_its_uri(harness: Harness, by: str) -> None:
    deployer = harness.deployer()
    server = deployer.deploy_model(harness.config("v1"))
    harness.erase_all_but_records()
    deployer.reconcile()
    assert harness.ask(server) == Reply(200, "v1", 1)
    harness.kill(server)
    if by == "start":
        harness.deployer().start_model_server(server.uuid)
    else:
        assert harness.deployer().reconcile().failed == ()
    assert harness.deployer().find_model_server() == [server]
    assert harness.ask(server) == Reply(200, "v1", 1)


def test_20_what_dies_when_its_uri_holds_another_model_is_not_started_with_that(harness: Harness) -> None:
    deployer, config = harness.deployer(), harness.config("v1")
    server = deployer.deploy_model(config)
    harness.erase_all_but_records()
    write_model(Path(config.model_uri), "v2")
    deployer.reconcile()
    assert harness.ask(server) == Reply(200, "v1", 1)
    harness.kill(server)
    (failed,) = harness.deployer().reconcile().failed
    assert "can no longer be had" in failed.error
    with pytest.raises(ModelGone, match="another model"):
        harness.deployer().start_model_server(server.uuid)
    (found,) = harness.deployer().find_model_server()
    assert (found.uuid, found.digest, found.state) == (server.uuid, server.digest, State.FAILED)
    assert harness.deployer().deploy_model(config, replace=True).uuid == server.uuid
    assert harness.ask(server) == Reply(200, "v2", 2)


def _lasting(server: ModelServer) -> tuple[object, ...]:
    return server.uuid, server.name, server.url, server.revision, server.config, server.digest, server.created_at
