"""Two state directories, one engine."""

from dataclasses import replace
from pathlib import Path

import pytest

from deployer.errors import EngineError
from deployer.ports import free_port
from deployer.server import State
from deployer.testing.docker import DockerHarness
from deployer.testing.hammer import Reply

pytestmark = [pytest.mark.xdist_group("docker"), pytest.mark.usefixtures("docker_engine")]


@pytest.fixture
def other(harness: DockerHarness, tmp_path: Path) -> DockerHarness:
    """The same engine from another state directory."""
    return replace(harness, root=tmp_path / "other", gateway_port=free_port())


def test_a_second_gateway_is_refused_while_the_first_runs_and_says_where_that_is(
    harness: DockerHarness, other: DockerHarness
) -> None:
    server = harness.deployer().deploy_model(harness.config("v1"))
    for change in (
        lambda: other.deployer().deploy_model(harness.config("v2"), replace=True),
        lambda: other.deployer().stop_model_server(server.uuid),
        lambda: other.deployer().reconcile(),
    ):
        with pytest.raises(EngineError, match="another state directory") as refused:
            change()
        assert str(harness.root) in refused.value.what and refused.value.hint
    assert [found.uuid for found in other.deployer().find_model_server()] == [server.uuid]
    assert harness.deployer().find_model_server() == [server]
    assert harness.ask(server) == Reply(200, "v1", 1)


def test_once_the_first_has_ended_the_second_takes_all_over(harness: DockerHarness, other: DockerHarness) -> None:
    server = harness.deployer().deploy_model(harness.config("v1"))
    harness.deployer().gateway.shutdown()
    try:
        assert other.deployer().reconcile().failed == ()
        (found,) = other.deployer().find_model_server()
        assert (found.uuid, found.state) == (server.uuid, State.READY)
        assert other.ask(found) == Reply(200, "v1", 1)
        with pytest.raises(EngineError, match="another state directory"):
            harness.deployer().reconcile()
    finally:
        other.deployer().gateway.shutdown()
