"""The flow that starts a model server."""

from prefect import flow

from blocks.any_model_deployer import AnyModelDeployer
from deployer import tasks
from deployer.server import ModelServer


@flow(name="start-model-server")
def start_model_server(deployer: AnyModelDeployer, server: str, timeout: int = 300) -> ModelServer:
    """Start a stopped or failed model server; its URL stays what it was.

    Args:
        deployer: where it runs.
        server: its name or UUID.
        timeout: seconds until it must serve.
    """
    return tasks.start_model_server(server, deployer, timeout)
