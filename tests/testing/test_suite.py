"""The suite itself: what it collects, what it may skip, and that it sees what must not be."""

import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from deployer.engine import Wanted
from deployer.gateway import Backend
from deployer.testing import suite
from deployer.testing.hammer import FELL_SILENT, Hammer, Reply
from deployer.testing.harness import Trait
from deployer.testing.invariants import silences, violations
from deployer.testing.memory import MemoryHarness
from deployer.testing.suite.applicable import NOT_APPLICABLE, reason

SCENARIOS = {*range(1, 37)}


@pytest.fixture
def harness(tmp_path: Path) -> MemoryHarness:
    harness = MemoryHarness(tmp_path)
    harness.deployer().deploy_model(harness.config("v1"))
    return harness


def test_each_scenario_has_a_test_that_carries_its_number() -> None:
    assert {int(name.split("_")[1]) for name in suite.__all__ if name.startswith("test_")} == SCENARIOS


def test_only_scenarios_that_exist_are_excluded_and_each_with_a_reason() -> None:
    assert {test for test, _ in NOT_APPLICABLE} <= set(suite.__all__)
    assert all(NOT_APPLICABLE.values())
    assert all(reason(test, frozenset()) == "" for test in suite.__all__)


def test_a_trait_excludes_what_the_list_says_and_nothing_else() -> None:
    traits = frozenset(Trait)
    excluded = {test for test in suite.__all__ if reason(test, traits)}
    assert excluded == {test for test, _ in NOT_APPLICABLE}


def test_all_is_well_with_a_server_that_serves(harness: MemoryHarness) -> None:
    assert violations(harness.deployer()) == []


def test_a_second_backend_is_seen(harness: MemoryHarness) -> None:
    gateway = harness.deployer().gateway
    route = gateway.routes()["churn"]
    gateway.write("churn", (*route.split, Backend(2, "memory://churn-r2")), 2, route.tag)
    found = violations(harness.deployer())
    assert any("more than one revision" in text for text in found)
    assert any("routed to a revision that is gone" in text for text in found)


def test_a_workload_that_takes_no_requests_is_seen(harness: MemoryHarness) -> None:
    gateway = harness.deployer().gateway
    route = gateway.routes()["churn"]
    gateway.write("churn", (replace(route.split[0], address=""),), 1, route.tag)
    assert any("runs and takes no requests" in text for text in violations(harness.deployer()))


def test_a_refused_workload_that_takes_requests_is_seen(harness: MemoryHarness) -> None:
    deployer = harness.deployer()
    (workload,) = deployer.engine.list()
    deployer.engine.mark(workload.ref, Wanted.REFUSED, "a test says so")
    found = violations(deployer)
    assert any("a refused revision takes requests" in text for text in found)
    assert any("runs and should not" in text for text in found)


def test_a_route_without_a_workload_is_seen(harness: MemoryHarness) -> None:
    deployer = harness.deployer()
    deployer.gateway.write("nobody", (), 1, "")
    assert any("a route without a workload" in text for text in violations(deployer))


def test_what_is_left_over_is_seen(harness: MemoryHarness) -> None:
    deployer = harness.deployer()
    (old,) = deployer.engine.list()
    record = old.record.model_copy(update={"revision": 2, "token": "another"})
    gateway = deployer.gateway
    with deployer.platform.lock:
        stored = deployer.platform.workloads["churn", 1]
        deployer.platform.workloads["churn", 2] = replace(
            stored, record=record.model_dump_json(), token="another", run=None
        )
    gateway.write("churn", gateway.routes()["churn"].split, 2, gateway.routes()["churn"].tag)
    assert any("left over" in text for text in violations(deployer))


def test_what_should_serve_and_does_serves_in_silence(harness: MemoryHarness) -> None:
    assert silences(harness.deployer()) == []


def test_what_should_run_and_is_dead_is_seen_unless_it_rests(harness: MemoryHarness) -> None:
    deployer = harness.deployer()
    (server,) = deployer.find_model_server()
    harness.kill(server)
    assert any("should run and does not" in text for text in silences(deployer))
    deployer.platform.workloads["churn", 1].starts = 3
    assert silences(deployer) == [], "it is brought back later"


@pytest.mark.parametrize(
    ("address", "seen"),
    [("", "its URL says that it is stopped"), ("memory://elsewhere", "is routed to memory://elsewhere")],
)
def test_what_should_serve_and_is_routed_elsewhere_is_seen(harness: MemoryHarness, address: str, seen: str) -> None:
    gateway = harness.deployer().gateway
    route = gateway.routes()["churn"]
    gateway.write("churn", (replace(route.split[0], address=address),), 1, route.tag)
    assert any(seen in text for text in silences(harness.deployer()))


def test_what_should_serve_and_has_no_route_is_seen_and_what_its_user_stopped_is_not(harness: MemoryHarness) -> None:
    deployer = harness.deployer()
    deployer.platform.routes.by_server.clear()
    assert any("is not routed" in text for text in silences(deployer))
    (server,) = deployer.find_model_server()
    deployer.stop_model_server(server.uuid)
    assert silences(deployer) == []


def test_a_hammer_counts_what_it_sent_and_what_failed() -> None:
    replies = iter([Reply(200, "v1", 1), Reply(502)] + [Reply(200, "v2", 2)] * 10_000)
    lock, seen = threading.Lock(), threading.Event()

    def ask() -> Reply:
        with lock:
            reply = next(replies)
        if reply.answer == "v2":
            seen.set()
            time.sleep(0.001)
        return reply

    with Hammer([ask, ask]) as hammer:
        assert seen.wait(10)
    assert hammer.failed == [Reply(502)]
    assert hammer.sent == len(hammer.replies) >= 3
    assert hammer.answers == {1: {"v1"}, 2: {"v2"}}
    assert hammer.answers_begun_after(0) == {"v1", "v2", ""}
    assert hammer.answers_begun_after(time.monotonic()) == set()


def test_a_hammer_falls_silent_by_itself() -> None:
    with Hammer([lambda: Reply(200)], limit_s=0.05) as hammer:
        until = time.monotonic() + 10
        while threading.active_count() and any(t.name == "hammer" for t in threading.enumerate()):
            assert time.monotonic() < until
            time.sleep(0.01)
    assert hammer.sent
    assert hammer.fell_silent and [reply.answer for reply in hammer.failed] == [FELL_SILENT]
