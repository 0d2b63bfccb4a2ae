"""Strangers that answer 200 to everything, on the ports of servers that do not run."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from deployer.server import ModelServer, State
from deployer.testing.hammer import Reply
from deployer.testing.impostor import impostor
from deployer.testing.process import ProcessHarness
from deployer.testing.suite.finding import found_running_in_time


@pytest.fixture
def harness(tmp_path: Path) -> Iterator[ProcessHarness]:
    with closing(ProcessHarness(tmp_path)) as mine:
        yield mine


@pytest.fixture
def server(harness: ProcessHarness) -> ModelServer:
    return harness.deployer().deploy_model(harness.config("v1"))


def port_of(harness: ProcessHarness) -> int:
    (workload,) = harness.deployer().engine.list()
    return urlsplit(workload.address).port or 0


def test_a_stopped_server_whose_port_is_taken_starts_on_another_and_its_route_follows(
    harness: ProcessHarness, server: ModelServer
) -> None:
    harness.deployer().stop_model_server(server.uuid)
    port = port_of(harness)
    with impostor(port):
        harness.deployer().start_model_server(server.uuid)
        assert port_of(harness) != port
        assert harness.deployer().find_model_server() == [server]
        assert harness.ask(server) == Reply(200, "v1", 1)


def test_a_dead_server_is_not_ready_because_a_stranger_answers_in_its_place(
    harness: ProcessHarness, server: ModelServer
) -> None:
    harness.kill(server)
    with impostor(port_of(harness)):
        assert harness.deployer().find_model_server(running=True) == []
        (found,) = harness.deployer().find_model_server()
        assert found.state is State.FAILED and "SIGKILL" in found.message
        assert harness.deployer().reconcile().failed == ()
        assert found_running_in_time(harness, [server]) == [server]
        assert harness.ask(server) == Reply(200, "v1", 1)
