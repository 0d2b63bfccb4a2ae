"""Scenario 32: the disk is full while a model, a record, a mark or a route is written."""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import pytest

from deployer.errors import EngineError
from deployer.server import ModelServer, State
from deployer.testing.faults import At, Call, Do, befall, nth
from deployer.testing.hammer import Reply
from deployer.testing.harness import Harness, HarnessWithDisk

WRITES = ["store.add", "engine.create", "engine.start", "gateway.write"]


@dataclass
class FillsUp:
    """The disk fills up right before a call, and stays full."""

    at: At
    fill: Callable[[], object]

    def around(self, call: Call, do: Do) -> Any:
        if self.at(call):
            self.fill()
        return do()


@pytest.mark.parametrize("call", WRITES)
def test_32_a_disk_full_during_a_replace_leaves_the_old_revision_as_it_is(harness: HarnessWithDisk, call: str) -> None:
    disk = harness.small_disk()
    server = harness.deployer().deploy_model(harness.config("v1"))
    with ExitStack() as full, harness.hammer(server) as hammer:
        fills_up = FillsUp(nth(call), lambda: full.enter_context(disk.full()))
        with pytest.raises(EngineError, match="No space left") as refused:
            befall(harness.deployer(), fills_up).deploy_model(harness.config("v2"), replace=True)
        assert refused.value.hint
        _assert_serves(harness, server, "v1")
        full.close()
        third = harness.deployer().deploy_model(harness.config("v3"), replace=True)
        _assert_serves(harness, third, "v3")
    assert third.uuid == server.uuid
    assert hammer.sent and hammer.failed == []


@pytest.mark.parametrize("call", ["gateway.write", "engine.mark"])
def test_32_a_refusal_that_a_full_disk_cuts_short_is_completed_when_there_is_room(
    harness: HarnessWithDisk, call: str
) -> None:
    disk = harness.small_disk()
    server = harness.deployer().deploy_model(harness.config("v1"))
    with ExitStack() as full:
        fills_up = FillsUp(nth(call), lambda: full.enter_context(disk.full()))
        with pytest.raises(EngineError, match="No space left"):
            befall(harness.deployer(), fills_up).deploy_model(harness.config("v2", "exit"), replace=True)
        _assert_serves(harness, server, "v1")
    assert harness.deployer().reconcile().failed == ()
    _assert_serves(harness, server, "v1")


@pytest.mark.parametrize("call", WRITES)
def test_32_a_disk_full_during_a_first_deploy_leaves_nothing_that_stays(harness: HarnessWithDisk, call: str) -> None:
    disk = harness.small_disk()
    harness.deployer().gateway.ensure()
    with ExitStack() as full:
        fills_up = FillsUp(nth(call), lambda: full.enter_context(disk.full()))
        with pytest.raises(EngineError, match="No space left"):
            befall(harness.deployer(), fills_up).deploy_model(harness.config("v1"), replace=True)
        assert State.READY not in {server.state for server in harness.deployer().find_model_server()}
    server = harness.deployer().deploy_model(harness.config("v2"), replace=True)
    _assert_serves(harness, server, "v2")


def test_32_a_stop_that_cannot_be_written_down_stops_nothing(harness: HarnessWithDisk) -> None:
    disk = harness.small_disk()
    server = harness.deployer().deploy_model(harness.config("v1"))
    with disk.full():
        with pytest.raises(EngineError, match="No space left"):
            harness.deployer().stop_model_server(server.uuid)
        _assert_serves(harness, server, "v1")
    harness.deployer().stop_model_server(server.uuid)
    assert harness.ask(server).status == 503


def test_32_what_stands_on_a_disk_that_takes_no_more_files_can_be_looked_at(harness: HarnessWithDisk) -> None:
    disk = harness.small_disk()
    server = harness.deployer().deploy_model(harness.config("v1"))
    with disk.full_of_files():
        with pytest.raises(EngineError, match="No space left"):
            harness.deployer().deploy_model(harness.config("v2"), replace=True)
        _assert_serves(harness, server, "v1")
    assert harness.deployer().reconcile().changed == ()


def _assert_serves(harness: Harness, server: ModelServer, answer: str) -> None:
    (found,) = harness.deployer().find_model_server()
    assert (found.uuid, found.revision, found.state) == (server.uuid, server.revision, State.READY)
    assert harness.ask(server) == Reply(200, answer, server.revision)
