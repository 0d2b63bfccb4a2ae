"""The gateway is killed or hangs, in the middle of a deploy and at any other time."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from deployer.engine import Phase
from deployer.errors import GatewayDown
from deployer.rollout.steps import Action, Progress
from deployer.server import ModelServer, State
from deployer.testing import proxy
from deployer.testing.hammer import Reply
from deployer.testing.process import ProcessHarness

Befalls = Callable[[ExitStack, ProcessHarness], object]

WHAT_BEFALLS_IT: dict[str, Befalls] = {
    "killed": lambda _, harness: proxy.kill(harness.deployer().gateway),
    "hung": lambda meanwhile, harness: meanwhile.enter_context(proxy.hung(harness.deployer().gateway)),
}
GOES_ON: dict[str, Callable[[ProcessHarness], object]] = {
    "reconcile": lambda harness: harness.deployer().reconcile(),
    "the next deploy": lambda harness: harness.deployer().deploy_model(harness.config("v2"), replace=True),
}


@pytest.fixture
def harness(tmp_path: Path) -> Iterator[ProcessHarness]:
    with closing(ProcessHarness(tmp_path)) as mine:
        yield mine


@pytest.fixture
def server(harness: ProcessHarness) -> ModelServer:
    return harness.deployer().deploy_model(harness.config("v1"))


def running(harness: ProcessHarness) -> list[int]:
    return [workload.revision for workload in harness.deployer().engine.list() if workload.phase is Phase.RUNNING]


@pytest.mark.parametrize(
    ("what", "goes_on"), [("killed", "reconcile"), ("killed", "the next deploy"), ("hung", "reconcile")]
)
def test_lost_in_the_middle_of_a_deploy_it_costs_no_revision(
    harness: ProcessHarness, server: ModelServer, what: str, goes_on: str
) -> None:
    deployer = harness.deployer()
    with ExitStack() as meanwhile:

        def befall(progress: Progress) -> None:
            if progress.step.action is Action.ROUTE and progress.seconds is None:
                WHAT_BEFALLS_IT[what](meanwhile, harness)

        deployer.on_progress = befall
        with pytest.raises(GatewayDown, match=r"churn\.yml") as down:
            deployer.deploy_model(harness.config("v2"), replace=True)
        assert "keep running" in down.value.serving and "reconcile" in down.value.hint
        assert running(harness) == [1, 2]
        assert [found.uuid for found in harness.deployer().find_model_server()] == [server.uuid]
    GOES_ON[goes_on](harness)
    assert harness.ask(server) == Reply(200, "v2", 2)
    assert running(harness) == [2] and harness.leftovers() == []


def test_killed_outside_of_a_deploy_it_is_brought_back_by_the_next_at_the_same_url(
    harness: ProcessHarness, server: ModelServer
) -> None:
    proxy.kill(harness.deployer().gateway)
    assert harness.ask(server).status == 0
    assert harness.deployer().find_model_server() == [server]
    again = harness.deployer().deploy_model(harness.config("v1"), replace=True)
    assert again == server and harness.ask(server) == Reply(200, "v1", 1)


def test_hung_outside_of_a_deploy_it_keeps_the_next_from_beginning(
    harness: ProcessHarness, server: ModelServer
) -> None:
    with proxy.hung(harness.deployer().gateway) as pid, pytest.raises(GatewayDown, match=f"process {pid}"):
        harness.deployer().deploy_model(harness.config("v2"), replace=True)
    assert running(harness) == [1]
    assert harness.deployer().find_model_server()[0].state is State.READY
    GOES_ON["the next deploy"](harness)
    assert harness.ask(server) == Reply(200, "v2", 2)
