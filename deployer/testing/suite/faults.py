"""Scenarios 27 and 28: a find beside a deploy, and a server that is killed."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from deployer.engine_deployer import EngineModelDeployer
from deployer.server import ModelServer, State
from deployer.testing.hammer import Reply
from deployer.testing.harness import Harness

BRINGS_BACK: dict[str, Callable[[EngineModelDeployer, ModelServer], object]] = {
    "start": lambda deployer, server: deployer.start_model_server(server.uuid),
    "reconcile": lambda deployer, server: deployer.reconcile(),
}


def test_27_listing_in_a_loop_disturbs_no_deploy_and_always_shows_the_server(harness: Harness) -> None:
    deployer = harness.deployer()
    first = deployer.deploy_model(harness.config("v0"))
    with _listing(harness.deployer()) as seen:
        for number in (1, 2, 3):
            deployer.deploy_model(harness.config(f"v{number}"), replace=True)
    assert {type(listed) for listed in seen} == {list}, [listed for listed in seen if isinstance(listed, Exception)]
    assert all([s.uuid for s in listed] == [first.uuid] for listed in seen if isinstance(listed, list))
    assert harness.ask(first) == Reply(200, "v3", 4)


@pytest.mark.parametrize("by", BRINGS_BACK)
def test_28_a_killed_server_is_failed_and_comes_back_at_the_same_url(harness: Harness, by: str) -> None:
    deployer = harness.deployer()
    server = deployer.deploy_model(harness.config("v1"))
    harness.kill(server)
    (killed,) = harness.deployer().find_model_server()
    assert killed.state in (State.FAILED, State.READY), "it was killed, nobody stopped it"
    assert killed.state is State.READY or killed.message
    BRINGS_BACK[by](harness.deployer(), server)
    assert harness.deployer().find_model_server() == [server]
    assert harness.ask(server) == Reply(200, "v1", 1)


def test_28_deploying_the_same_over_a_killed_server_brings_it_back(harness: Harness) -> None:
    deployer = harness.deployer()
    server = deployer.deploy_model(harness.config("v1"), replace=True)
    harness.kill(server)
    assert deployer.deploy_model(harness.config("v1"), replace=True).uuid == server.uuid
    assert harness.ask(server).answer == "v1"


@contextmanager
def _listing(deployer: EngineModelDeployer) -> Iterator[list[list[ModelServer] | Exception]]:
    """What a find told, again and again, while the context is open; or why it did not."""
    seen: list[list[ModelServer] | Exception] = []
    over = threading.Event()

    def list_on() -> None:
        while not over.is_set():
            try:
                seen.append(deployer.find_model_server())
            except Exception as error:
                seen.append(error)

    thread = threading.Thread(target=list_on, name="listing", daemon=True)
    thread.start()
    try:
        yield seen
    finally:
        over.set()
        thread.join(30)
