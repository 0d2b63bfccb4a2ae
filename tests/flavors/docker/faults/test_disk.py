"""The engine's disk is full."""

from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest

from deployer.errors import EngineError
from deployer.server import State
from deployer.testing.docker import DockerHarness
from deployer.testing.hammer import Reply
from tests.support.dockerd import OwnEngine, can_be_had, own_engine

pytestmark = [
    pytest.mark.xdist_group("dockerd"),
    pytest.mark.usefixtures("docker_engine_is_there"),
    pytest.mark.skipif(not can_be_had(), reason="only root can start an engine of its own"),
]
SIZE = "700m"


@pytest.fixture(scope="module")
def engine() -> Iterator[OwnEngine]:
    with own_engine(live_restore=False, disk=SIZE) as mine:
        yield mine


@pytest.fixture
def harness(engine: OwnEngine, tmp_path: Path) -> Iterator[DockerHarness]:
    with closing(DockerHarness(tmp_path, host=engine.host)) as mine:
        yield mine


@contextmanager
def full(engine: OwnEngine) -> Iterator[None]:
    """Not a byte more can be written while the context is open."""
    ballast = engine.data / "ballast"
    try:
        with ballast.open("wb", buffering=0) as file, suppress(OSError):
            while True:
                file.write(bytes(2**20))
        yield
    finally:
        ballast.unlink()


def test_a_deploy_on_a_full_disk_is_told_and_what_serves_serves_on(harness: DockerHarness, engine: OwnEngine) -> None:
    server = harness.deployer().deploy_model(harness.config("v1"))
    with harness.hammer(server) as hammer:
        with full(engine):
            with pytest.raises(EngineError, match="No space left") as refused:
                harness.deployer().deploy_model(harness.config("v2"), replace=True)
            assert "docker system df" in refused.value.hint
            (found,) = harness.deployer().find_model_server()
            assert (found.revision, found.state) == (1, State.READY)
        assert harness.deployer().reconcile().failed == ()
        new = harness.deployer().deploy_model(harness.config("v3"), replace=True)
    assert (new.uuid, hammer.failed) == (server.uuid, [])
    assert harness.ask(new) == Reply(200, "v3", new.revision)


def test_a_first_deploy_on_a_full_disk_leaves_nothing_that_serves_and_the_next_does(
    harness: DockerHarness, engine: OwnEngine
) -> None:
    with full(engine), pytest.raises(EngineError, match="No space left"):
        harness.deployer().deploy_model(harness.config("v1"))
    assert harness.deployer().find_model_server() == []
    assert harness.deployer().deploy_model(harness.config("v1")).state is State.READY


def test_what_serves_can_be_looked_at_and_stopped_once_there_is_room(harness: DockerHarness, engine: OwnEngine) -> None:
    server = harness.deployer().deploy_model(harness.config("v1"))
    with full(engine):
        (found,) = harness.deployer().find_model_server()
        assert found.state is State.READY
        with suppress(EngineError):
            harness.deployer().stop_model_server(server.uuid)
        assert {found.state for found in harness.deployer().find_model_server()} <= {State.READY, State.STOPPED}
    harness.deployer().stop_model_server(server.uuid)
    (found,) = harness.deployer().find_model_server()
    assert found.state is State.STOPPED
