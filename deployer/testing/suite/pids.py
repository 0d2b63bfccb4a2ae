"""Scenario 29: a process that got the pid of a dead server is nobody's business."""

from collections.abc import Callable

import pytest

from deployer.engine_deployer import EngineModelDeployer
from deployer.server import ModelServer
from deployer.testing.hammer import Reply
from deployer.testing.harness import HarnessWithPids

OPERATIONS: dict[str, Callable[[EngineModelDeployer, ModelServer], object]] = {
    "find": lambda deployer, server: deployer.find_model_server(running=True),
    "stop": lambda deployer, server: deployer.stop_model_server(server.uuid),
    "stop by force": lambda deployer, server: deployer.stop_model_server(server.uuid, force=True),
    "start": lambda deployer, server: deployer.start_model_server(server.uuid),
    "delete": lambda deployer, server: deployer.delete_model_server(server.uuid),
    "reconcile": lambda deployer, server: deployer.reconcile(),
}


@pytest.mark.parametrize("operation", OPERATIONS)
def test_29_a_recycled_pid_is_never_signalled(harness: HarnessWithPids, operation: str) -> None:
    config = harness.config("v1")
    server = harness.deployer().deploy_model(config, replace=True)
    with harness.recycle_pid(server) as stranger:
        OPERATIONS[operation](harness.deployer(), server)
        assert stranger.harm() == ""
        back = harness.deployer().deploy_model(config, replace=True)
        assert harness.ask(back) == Reply(200, "v1", 1)
        harness.deployer().delete_model_server(back.uuid)
        assert stranger.harm() == ""
