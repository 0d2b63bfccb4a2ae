"""The flow that stops a model server."""

from prefect import flow

from blocks.any_model_deployer import AnyModelDeployer
from deployer import tasks
from deployer.server import ModelServer


@flow(name="stop-model-server")
def stop_model_server(deployer: AnyModelDeployer, server: str, timeout: int = 300, force: bool = False) -> ModelServer:
    """Stop a model server; it keeps its URL, which answers 503, and all it needs to start again.

    Args:
        deployer: where it runs.
        server: its name or UUID.
        timeout: seconds until it must have stopped.
        force: kill it, without letting it finish what it has.
    """
    return tasks.stop_model_server(server, deployer, timeout, force)
