import time
from pathlib import Path

import pytest

from deployer.config import Probes
from deployer.engine import Ref, Wanted
from deployer.testing.memory import MemoryHarness
from tests.support import meddling

SETTLE_S = 0.3


@pytest.fixture
def harness(tmp_path: Path) -> MemoryHarness:
    return MemoryHarness(tmp_path)


def test_what_was_started_anew_unseen_has_to_settle_anew(harness: MemoryHarness) -> None:
    deployer = harness.deployer()
    config = harness.config("v1", delay_s=0, probes=Probes(settle_s=SETTLE_S))
    deployer.deploy_model(config, timeout=0)
    (first,) = deployer._observer.look("churn").workloads
    time.sleep(SETTLE_S)
    start_anew(harness, first.ref)
    (again,) = deployer._observer.look("churn").workloads
    assert again.ready and again.ready_s == 0


def start_anew(harness: MemoryHarness, ref: Ref) -> None:
    """As somebody else would who stops and starts the server."""
    engine = harness.deployer().engine
    engine.stop(ref, 0)
    engine.mark(ref, Wanted.RUNNING, "a test starts it")
    engine.start(ref)


@pytest.mark.parametrize("look", ["one", "all"])
def test_a_route_that_moves_during_a_look_is_looked_at_again(harness: MemoryHarness, look: str) -> None:
    deployer, other = harness.deployer(), harness.deployer()
    other.deploy_model(harness.config("v1"), replace=True)
    meddling.before(deployer.engine, "list", lambda: other.deploy_model(harness.config("v2"), replace=True))
    view = deployer._observer.look("churn") if look == "one" else deployer._observer.look_at_all()[0]
    assert [o.revision for o in view.workloads] == [o.revision for o in view.serving] == [2]


def test_what_is_gone_is_forgotten(harness: MemoryHarness) -> None:
    deployer = harness.deployer()
    servers = [deployer.deploy_model(harness.config("v1", name=name)) for name in ("a", "b")]
    deployer.deploy_model(harness.config("v2", name="b"), replace=True)
    assert remembered(deployer._observer) == {("a", 1), ("b", 2)}
    for server in servers:
        harness.deployer().delete_model_server(server.uuid)
    deployer.find_model_server()
    assert remembered(deployer._observer) == set()


def remembered(observer: object) -> set[tuple[str, int]]:
    return {(ref.server, ref.revision) for ref in observer._ready_since}  # type: ignore[attr-defined]
