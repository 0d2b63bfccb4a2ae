"""What a rollout `recreate` makes of what fails, and of what others do meanwhile."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from deployer.config import ModelServerConfig, Probes
from deployer.engine import Ref
from deployer.errors import EngineError, EngineUnavailable, GatewayDown, RevisionRefused, RolloutTimeout, Superseded
from deployer.server import ModelServer, State
from deployer.testing.faults import Watch, befall
from deployer.testing.hammer import Reply
from deployer.testing.memory import MemoryHarness
from tests.support import meddling


@pytest.fixture
def harness(tmp_path: Path) -> MemoryHarness:
    return MemoryHarness(tmp_path)


@pytest.fixture
def server(harness: MemoryHarness) -> ModelServer:
    """It serves v1."""
    return harness.deployer().deploy_model(harness.config("v1"), replace=True)


def recreated(harness: MemoryHarness, mode: str = "ok", **fields: Any) -> ModelServerConfig:
    return harness.config("v2", mode, rollout="recreate", **fields)


def running(harness: MemoryHarness) -> list[int]:
    return [w.revision for w in harness.deployer().engine.list() if w.phase == "running"]


def of_revision(number: int) -> Callable[..., bool]:
    return lambda ref, *_: isinstance(ref, Ref) and ref.revision == number


def test_where_the_old_one_cannot_be_stopped_nothing_is_started_beside_it(
    harness: MemoryHarness, server: ModelServer
) -> None:
    deployer = harness.deployer()
    meddling.instead(deployer.engine, "stop", EngineError("it runs elsewhere"), only=of_revision(1))
    with pytest.raises(EngineError, match="runs elsewhere") as raised:
        deployer.deploy_model(recreated(harness), replace=True)
    assert raised.value.serving == "Revision 1 serves."
    assert (running(harness), harness.ask(server)) == ([1], Reply(200, "v1", 1))
    assert [w.starts for w in deployer.engine.list()] == [1, 0]


def test_where_the_new_one_cannot_be_started_the_old_one_is_back_and_the_error_says_so(
    harness: MemoryHarness, server: ModelServer
) -> None:
    deployer = harness.deployer()
    meddling.instead(deployer.engine, "start", EngineError("no secret"), only=of_revision(2))
    with pytest.raises(EngineError, match="no secret") as raised:
        deployer.deploy_model(recreated(harness), replace=True)
    assert raised.value.serving == "Revision 1 serves."
    assert (running(harness), harness.ask(server)) == ([1], Reply(200, "v1", 1))


@pytest.mark.parametrize("timeout", [0, 10])
def test_a_start_that_may_go_better_next_time_stays_for_reconcile(
    harness: MemoryHarness, server: ModelServer, timeout: int
) -> None:
    deployer = harness.deployer()
    meddling.instead(deployer.engine, "start", EngineUnavailable("busy"), only=of_revision(2))
    with pytest.raises(EngineUnavailable):
        deployer.deploy_model(recreated(harness), replace=True, timeout=timeout)
    (held,) = harness.deployer().find_model_server()
    assert (held.revision, held.state, harness.ask(server).status) == (1, State.PENDING, 503)
    harness.deployer().reconcile()
    assert harness.ask(server) == Reply(200, "v2", 2)


def test_what_serves_runs_on_until_the_proxy_has_let_go_of_it(harness: MemoryHarness, server: ModelServer) -> None:
    deployer = harness.deployer()
    meddling.instead(deployer.gateway, "acknowledge", GatewayDown("it does not answer"))
    with pytest.raises(GatewayDown):
        deployer.deploy_model(recreated(harness), replace=True)
    assert running(harness) == [1]
    harness.deployer().reconcile()
    assert harness.ask(server) == Reply(200, "v2", 2)


def test_what_is_back_before_its_drain_is_over_is_not_stopped(harness: MemoryHarness, server: ModelServer) -> None:
    """A later deploy was refused meanwhile, and overtook the one that waits."""
    deployer, other = harness.deployer(), harness.deployer()

    def deploy_in_vain() -> None:
        with pytest.raises(RevisionRefused):
            other.deploy_model(harness.config("v3", "exit"), replace=True)

    meddling.after(deployer.gateway, "acknowledge", deploy_in_vain, calls=2)
    befall(deployer, watch := Watch())
    with pytest.raises(Superseded):
        deployer.deploy_model(recreated(harness), replace=True)
    assert "engine.stop" not in [call.name for call in watch.calls]
    assert harness.ask(server) == Reply(200, "v1", 1)


def test_who_joins_and_cannot_wait_is_told_that_nothing_serves(harness: MemoryHarness, server: ModelServer) -> None:
    slow = recreated(harness, delay_s=30)
    harness.deployer().deploy_model(slow, replace=True, timeout=0)
    with pytest.raises(RolloutTimeout, match="may serve yet") as raised:
        harness.deployer().deploy_model(slow, replace=True, timeout=1)
    assert raised.value.serving.startswith("Nothing serves until revision 2 does")
    assert running(harness) == [2]


def test_what_made_room_comes_back_though_its_route_was_lost(harness: MemoryHarness, server: ModelServer) -> None:
    soon_refused = recreated(harness, "hang", probes=Probes(startup_s=0.5, settle_s=0))
    harness.deployer().deploy_model(soon_refused, replace=True, timeout=0)
    gateway = harness.deployer().gateway
    gateway.remove("churn", gateway.routes()["churn"].tag)
    harness.deployer().reconcile()
    assert harness.ask(server) == Reply(200, "v1", 1)


def test_equivalent_servers_go_once_the_new_revision_serves(harness: MemoryHarness, server: ModelServer) -> None:
    newest = harness.deployer().deploy_model(harness.config("other"))
    updated = harness.deployer().deploy_model(recreated(harness), replace=True)
    assert (updated.uuid, updated.revision) == (newest.uuid, 2)
    assert [s.uuid for s in harness.deployer().find_model_server()] == [newest.uuid]


def test_a_dead_server_is_not_brought_back_only_to_make_room(harness: MemoryHarness, server: ModelServer) -> None:
    harness.kill(server)
    deployer = harness.deployer()
    deployer.deploy_model(recreated(harness), replace=True, timeout=0)
    assert [(w.revision, w.starts) for w in deployer.engine.list()] == [(1, 1), (2, 1)]
    deployer.reconcile()
    assert harness.ask(server) == Reply(200, "v2", 2)
