"""The guard's own eyes: each thing that must never be is seen, and nothing else."""

from pathlib import Path

import pytest

from deployer.gateway import Backend, Route
from deployer.server import ModelServer
from deployer.testing.faults import befall
from deployer.testing.guard import Guard
from deployer.testing.memory import MemoryHarness


@pytest.fixture
def harness(tmp_path: Path) -> MemoryHarness:
    return MemoryHarness(tmp_path)


@pytest.fixture
def server(harness: MemoryHarness) -> ModelServer:
    return harness.deployer().deploy_model(harness.config("v1"), replace=True)


@pytest.fixture
def guard(harness: MemoryHarness, server: ModelServer) -> Guard:
    guard = Guard(harness)
    guard.look("what stood before")
    return guard


def route(harness: MemoryHarness, *revisions: int, high: int) -> None:
    """What no gateway of ours would write."""
    split = tuple(Backend(revision, f"memory://churn-r{revision}") for revision in revisions)
    harness.deployer().platform.routes.by_server["churn"] = Route(split, high, f"tag of {revisions}")


def replaced(harness: MemoryHarness, guard: Guard) -> None:
    befall(harness.deployer(), guard).deploy_model(harness.config("v2"), replace=True)


def test_all_that_a_replace_does_is_as_it_should_be(harness: MemoryHarness, guard: Guard) -> None:
    replaced(harness, guard)
    assert guard.seen == []
    assert guard.traffic.served["churn"] == guard.traffic.unrivalled["churn"] == {1, 2}


def test_what_serves_only_once_a_later_one_was_made_is_no_longer_unrivalled(
    harness: MemoryHarness, guard: Guard
) -> None:
    befall(harness.deployer(), guard).deploy_model(harness.config("v2", delay_s=30), replace=True, timeout=0)
    befall(harness.deployer(), guard).deploy_model(harness.config("v3", delay_s=30), replace=True, timeout=0)
    route(harness, 2, high=2)
    guard.look("a late route")
    assert (guard.traffic.served["churn"], guard.traffic.unrivalled["churn"]) == ({1, 2}, {1})


def test_a_closed_revision_that_is_routed_again_is_seen(harness: MemoryHarness, guard: Guard) -> None:
    replaced(harness, guard)
    route(harness, 1, high=2)
    guard.look("a test")
    assert any("the closed revision 1 is routed again" in text for text in guard.seen)


def test_a_high_that_falls_is_seen(harness: MemoryHarness, guard: Guard) -> None:
    replaced(harness, guard)
    route(harness, 2, high=1)
    guard.look("a test")
    assert any("high fell from 2 to 1" in text for text in guard.seen)


def test_two_who_take_requests_at_once_are_seen(harness: MemoryHarness, guard: Guard) -> None:
    route(harness, 1, 2, high=2)
    guard.look("a test")
    assert any("take requests at once" in text for text in guard.seen)


def test_a_server_that_falls_silent_is_seen_unless_somebody_may_silence_it(
    harness: MemoryHarness, server: ModelServer, guard: Guard
) -> None:
    harness.kill(server)
    guard.interrupted = [server.name]
    guard.look("what it may")
    assert guard.seen == []
    guard.interrupted = []
    guard.look("what it may not")
    (seen,) = guard.seen
    assert seen.startswith("after what it may not: churn answered v1, and now")


def test_a_server_that_was_deleted_may_begin_anew_from_one(
    harness: MemoryHarness, server: ModelServer, guard: Guard
) -> None:
    guard.interrupted = [server.name]
    replaced(harness, guard)
    deployer = befall(harness.deployer(), guard)
    deployer.delete_model_server(server.uuid)
    deployer.deploy_model(harness.config("v1"), replace=True)
    assert guard.seen == []
