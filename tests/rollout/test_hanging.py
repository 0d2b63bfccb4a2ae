"""What reconciles make of a server that hangs, and of one that no engine of theirs can restart."""

import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from deployer.config import ModelServerConfig, Probes
from deployer.errors import Unsupported
from deployer.flavors.memory.engine import MemoryEngine
from deployer.server import ModelServer, State
from deployer.testing.hammer import Reply
from deployer.testing.memory import MemoryHarness
from examples.flavor.harness import ChildHarness
from tests.support import meddling

STARTUP_S = 0.2




class ForgetfulEngine:
    """An engine that remembers no silence."""

    def __init__(self, engine: MemoryEngine) -> None:
        for name in ("list", "probe", "create", "mark", "start", "stop", "delete", "log", "unreadable"):
            setattr(self, name, getattr(engine, name))


@pytest.fixture
def harness(tmp_path: Path) -> MemoryHarness:
    return MemoryHarness(tmp_path)


@pytest.fixture
def server(harness: MemoryHarness) -> ModelServer:
    """It hangs, is noted so, and is due."""
    server = harness.deployer().deploy_model(restarted(harness), replace=True)
    harness.hang(server)
    harness.deployer().reconcile()
    time.sleep(STARTUP_S)
    return server


def restarted(harness: MemoryHarness, answer: str = "v1", **fields: Any) -> ModelServerConfig:
    return harness.config(answer, probes=Probes(settle_s=0.05, startup_s=STARTUP_S, restart_hung_s=0.001), **fields)


def test_a_deployer_that_was_frozen_before_its_last_question_kills_no_later_run(
    harness: MemoryHarness, server: ModelServer
) -> None:
    late, others = harness.deployer(), []
    meddling.before(late.engine, "kill_silent", lambda: others.append(harness.deployer().reconcile()))
    late.reconcile()
    (workload,) = harness.deployer().engine.list()
    assert others and workload.starts == 2
    assert harness.ask(server) == Reply(200, "v1", 1)


def test_a_deploy_over_what_hangs_ends_with_the_new_revision_alone(harness: MemoryHarness, server: ModelServer) -> None:
    harness.deployer().deploy_model(restarted(harness, "v2"), replace=True)
    assert [w.revision for w in harness.deployer().engine.list()] == [2]
    assert harness.ask(server) == Reply(200, "v2", 2)


def test_a_stop_of_what_hangs_restarts_nothing(harness: MemoryHarness, server: ModelServer) -> None:
    harness.deployer().stop_model_server(server.uuid)
    (found,) = harness.deployer().find_model_server()
    assert found.state is State.STOPPED
    assert harness.deployer().reconcile().changed == ()


def test_it_is_restarted_however_often_it_hangs(harness: MemoryHarness, server: ModelServer) -> None:
    for _ in range(8):
        harness.deployer().reconcile()
        assert harness.ask(server) == Reply(200, "v1", 1)
        harness.hang(server)
        harness.deployer().reconcile()
        time.sleep(STARTUP_S)


def test_a_flavor_that_remembers_no_silence_refuses_to_restart_what_hangs(tmp_path: Path) -> None:
    with closing(ChildHarness(tmp_path)) as harness:
        config = harness.config("v1", probes=Probes(restart_hung_s=60))
        with pytest.raises(Unsupported, match="does not restart servers that hang") as refused:
            harness.deployer().deploy_model(config)
        assert "restart_hung_s" in refused.value.hint
        assert harness.deployer().find_model_server() == []


def test_a_record_that_asks_for_it_all_the_same_is_an_error_of_its_own_and_no_endless_try(
    harness: MemoryHarness, server: ModelServer
) -> None:
    deployer = harness.deployer()
    deployer.__dict__["engine"] = ForgetfulEngine(deployer.engine)
    (failed,) = deployer.reconcile().failed
    assert "restarts nothing that hangs" in failed.error
