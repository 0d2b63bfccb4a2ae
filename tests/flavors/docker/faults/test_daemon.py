"""The engine's daemon is restarted, under load."""

import signal
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from deployer.engine import Phase
from deployer.errors import DeployerError
from deployer.server import State
from deployer.testing.docker import DockerHarness
from deployer.testing.hammer import Reply
from tests.flavors.docker.conftest import only, until
from tests.support.dockerd import OwnEngine, can_be_had, own_engine

pytestmark = [
    pytest.mark.xdist_group("dockerd"),
    pytest.mark.usefixtures("docker_engine_is_there"),
    pytest.mark.skipif(not can_be_had(), reason="only root can start an engine of its own"),
]
ENDS = [signal.SIGTERM, signal.SIGKILL]


@pytest.fixture(scope="module")
def outlived() -> Iterator[OwnEngine]:
    """One whose containers outlive its daemon."""
    with own_engine(live_restore=True) as engine:
        yield engine


@pytest.fixture
def harness(outlived: OwnEngine, tmp_path: Path) -> Iterator[DockerHarness]:
    with closing(DockerHarness(tmp_path, host=outlived.host)) as mine:
        yield mine


@pytest.mark.parametrize("number", ENDS, ids=lambda number: number.name)
def test_a_restart_of_the_daemon_costs_no_request_where_containers_outlive_it(
    harness: DockerHarness, outlived: OwnEngine, number: signal.Signals
) -> None:
    server = harness.deployer().deploy_model(harness.config("v1"))
    with harness.hammer(server) as hammer:
        outlived.restart(number)
        assert harness.deployer().find_model_server() == [server]
        new = harness.deployer().deploy_model(harness.config("v2"), replace=True)
    assert (new.uuid, hammer.failed) == (server.uuid, [])
    assert hammer.sent and harness.ask(new) == Reply(200, "v2", 2)


@pytest.mark.parametrize("number", ENDS, ids=lambda number: number.name)
def test_a_deploy_during_which_the_daemon_is_restarted_ends_or_is_completed_and_costs_no_request(
    harness: DockerHarness, outlived: OwnEngine, number: signal.Signals
) -> None:
    server = harness.deployer().deploy_model(harness.config("v1"))
    told = list[object]()

    def deploy() -> None:
        try:
            told.append(harness.deployer().deploy_model(harness.config("v2", delay_s=1), replace=True).revision)
        except DeployerError as error:
            told.append(error)

    with harness.hammer(server) as hammer:
        deploying = threading.Thread(target=deploy)
        deploying.start()
        until(lambda: len(harness.deployer().engine.list()) > 1)
        outlived.restart(number, away_s=0.2)
        deploying.join(120)
        assert harness.deployer().reconcile().failed == ()
        (found,) = harness.deployer().find_model_server()
    assert hammer.sent and hammer.failed == []
    assert (found.uuid, found.state) == (server.uuid, State.READY), told
    assert told == [2] or isinstance(told[0], DeployerError), told
    assert harness.leftovers() == []


def test_while_the_daemon_is_away_it_is_told_and_what_serves_serves_on(
    harness: DockerHarness, outlived: OwnEngine
) -> None:
    server = harness.deployer().deploy_model(harness.config("v1"))
    with harness.hammer(server) as hammer:
        outlived.end(signal.SIGTERM)
        try:
            with pytest.raises(DeployerError, match="no Docker engine answers") as told:
                harness.deployer().find_model_server()
            assert told.value.hint
            assert harness.ask(server).ok
        finally:
            outlived.start()
    assert hammer.sent and hammer.failed == []


@pytest.mark.parametrize("number", ENDS, ids=lambda number: number.name)
def test_where_containers_end_with_their_daemon_they_come_back_with_it_or_with_a_reconcile(
    tmp_path: Path, number: signal.Signals
) -> None:
    with own_engine(live_restore=False) as engine, closing(DockerHarness(tmp_path, host=engine.host)) as harness:
        server, asleep = (harness.deployer().deploy_model(harness.config("v1", name=n)) for n in ("churn", "asleep"))
        harness.deployer().stop_model_server(asleep.uuid)
        engine.restart(number)
        harness.deployer().reconcile()
        until(lambda: harness.ask(server).ok)
        states = {found.name: found.state for found in harness.deployer().find_model_server()}
        assert states == {"churn": State.READY, "asleep": State.STOPPED}
        assert harness.ask(server) == Reply(200, "v1", 1)
        assert [w.phase for w in harness.deployer().engine.list("asleep")] == [Phase.ENDED]
        assert harness.leftovers() == []


def test_a_container_that_a_crash_took_while_its_daemon_was_away_comes_back(
    harness: DockerHarness, outlived: OwnEngine
) -> None:
    server = harness.deployer().deploy_model(harness.config("v1"))
    pid = outlived.api.inspect_container(str(only(harness).ref))["State"]["Pid"]
    outlived.end(signal.SIGKILL)
    try:
        import os

        os.kill(pid, signal.SIGKILL)
    finally:
        outlived.start()
    harness.deployer().reconcile()
    until(lambda: harness.ask(server).ok)
    assert harness.deployer().find_model_server() == [server]
