import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from deployer.config import Probes
from deployer.engine import Health, Readiness, Ref, Wanted, Workload
from deployer.engine_deployer import FOUND_RUNNING_WITHIN_S
from deployer.flavors.memory.deployer import MemoryModelDeployer
from deployer.rollout.observe import PROBE_S
from deployer.rollout.view import Condition
from deployer.testing.faults import Watch, befall
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


@pytest.mark.parametrize(
    "look",
    [
        lambda deployer: deployer._observer.look("churn", asked=False),
        lambda deployer: deployer._observer.read_all(),
        lambda deployer: deployer._observer.look_at_all(within_s=0.0),
        lambda deployer: deployer.find_model_server(running=True),
    ],
    ids=["one", "all", "all in no time", "find"],
)
def test_only_who_says_no_in_all_the_time_there_is_has_to_settle_anew(
    harness: MemoryHarness, look: Callable[[MemoryModelDeployer], object]
) -> None:
    deployer, probe = harness.deployer(), harness.deployer().engine.probe
    deployer.deploy_model(harness.config("v1"))

    def in_time(workloads: Sequence[Workload], deadline_s: float) -> dict[Ref, Readiness]:
        late = {workload.ref: Readiness(Health.SILENT) for workload in workloads}
        return probe(workloads, deadline_s) if deadline_s >= PROBE_S else late

    deployer.engine.probe = in_time  # type: ignore[method-assign]
    (before,) = deployer._observer.look("churn").workloads
    look(deployer)
    time.sleep(0.01)
    (after,) = deployer._observer.look("churn").workloads
    assert after.ready_s > before.ready_s > 0


def test_who_looks_without_asking_asks_nobody(harness: MemoryHarness) -> None:
    deployer = harness.deployer()
    deployer.deploy_model(harness.config("v1"))
    befall(deployer, watch := Watch())
    (seen,) = deployer._observer.look("churn", asked=False).workloads
    assert seen.condition is Condition.RUNNING
    assert "engine.probe" not in [call.name for call in watch.calls]


@pytest.mark.parametrize(("timeouts", "asked_s"), [((5.0,), 5.0), ((0.5,), PROBE_S), ((3.0, 9.0), 9.0)])
def test_who_may_take_longer_to_answer_is_given_that_time(
    harness: MemoryHarness, timeouts: tuple[float, ...], asked_s: float
) -> None:
    deployer = harness.deployer()
    for number, timeout_s in enumerate(timeouts, 1):
        probes = Probes(timeout_s=timeout_s, settle_s=0)
        deployer.deploy_model(harness.config("v1", name=f"s{number}", probes=probes))
    befall(deployer, watch := Watch())
    deployer._observer.look_at_all()
    deployer._observer.look(f"s{len(timeouts)}")
    deployer.find_model_server(running=True)
    given = [call.args[1] for call in watch.calls if call.name == "engine.probe"]
    assert given == [PROBE_S, asked_s, FOUND_RUNNING_WITHIN_S]


def test_a_superseded_server_is_looked_for_only_once_its_successor_serves(harness: MemoryHarness) -> None:
    deployer = harness.deployer()
    for answer in ("a", "b"):
        deployer.deploy_model(harness.config(answer))
    deployer.deploy_model(harness.config("slow", delay_s=30), replace=True, timeout=0)
    befall(deployer, watch := Watch())
    deployer._observer.look("churn-2")
    assert [call.args for call in watch.calls if call.name == "engine.list"] == [("churn-2",)]


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
