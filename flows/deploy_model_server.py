"""The flow that deploys a model."""

from prefect import flow

from blocks.any_model_deployer import AnyModelDeployer
from deployer.config import ModelServerConfig
from deployer.rollout.steps import Progress
from deployer.server import ModelServer
from deployer.tasks import deploy_model, deployer_of, steps_told
from flows.model_server_artifacts import publish_card


@flow(name="deploy-model-server")
def deploy_model_server(
    deployer: AnyModelDeployer, config: ModelServerConfig, replace: bool = True, timeout: int = 300
) -> ModelServer:
    """Put a model behind its URL, and publish the server's card.

    Args:
        deployer: where it shall run.
        config: what the model server should be.
        replace: make this the next revision of the server that the model has already.
        timeout: seconds until the new revision must take traffic.
    """
    one = deployer_of(deployer)
    steps: list[Progress] = []
    with steps_told(one, steps.append):
        server = deploy_model(config, one, replace, timeout)
    publish_card(one, server, steps)
    return server
