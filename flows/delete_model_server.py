"""The flow that deletes a model server."""

from prefect import flow

from blocks.any_model_deployer import AnyModelDeployer
from deployer import tasks


@flow(name="delete-model-server")
def delete_model_server(deployer: AnyModelDeployer, server: str, timeout: int = 300, force: bool = False) -> None:
    """Remove a model server, its revisions and its URL for good.

    Args:
        deployer: where it runs.
        server: its name or UUID.
        timeout: seconds until it must be gone.
        force: kill it, without letting it finish what it has; an unknown server is no error.
    """
    tasks.delete_model_server(server, deployer, timeout, force)
