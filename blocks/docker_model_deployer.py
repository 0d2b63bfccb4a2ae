"""The docker flavor as a Prefect Block."""

from blocks.model_deployer_block import ModelDeployerBlock
from deployer.flavors.docker.deployer import DockerModelDeployer as Deployer
from deployer.flavors.docker.settings import DockerSettings


class DockerModelDeployer(DockerSettings, ModelDeployerBlock):
    """Serves models as containers of the Docker engine on the machine that the flow runs on, behind one gateway.

    Example:
        Deploy with a stored block:
        ```python
        from blocks.docker_model_deployer import DockerModelDeployer

        block = DockerModelDeployer.load("BLOCK_NAME")
        servers = block.get_deployer().find_model_server()
        ```
    """

    _block_type_name = "Docker Model Deployer"
    _block_type_slug = "docker-model-deployer"
    _description = "Serves models as containers of the Docker engine on the machine that the flow runs on."
    _documentation_url = "https://docs.prefect.io/v3/concepts/blocks"  # type: ignore[assignment]

    model_config = ModelDeployerBlock.model_config

    def get_deployer(self) -> Deployer:
        """The docker deployer with these settings."""
        return Deployer(self._settings(DockerSettings))
