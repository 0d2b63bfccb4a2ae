"""The process flavor as a Prefect Block."""

from blocks.model_deployer_block import ModelDeployerBlock
from deployer.flavors.process.deployer import ProcessModelDeployer as Deployer
from deployer.flavors.process.settings import ProcessSettings


class ProcessModelDeployer(ProcessSettings, ModelDeployerBlock):
    """Serves models as processes of the machine that the flow runs on, behind a gateway of their own.

    Example:
        Deploy with a stored block:
        ```python
        from blocks.process_model_deployer import ProcessModelDeployer

        block = ProcessModelDeployer.load("BLOCK_NAME")
        servers = block.get_deployer().find_model_server()
        ```
    """

    _block_type_name = "Process Model Deployer"
    _block_type_slug = "process-model-deployer"
    _description = "Serves models as processes of the machine that the flow runs on, behind a gateway of their own."
    _documentation_url = "https://docs.prefect.io/v3/concepts/blocks"  # type: ignore[assignment]

    model_config = ModelDeployerBlock.model_config

    def get_deployer(self) -> Deployer:
        """The process deployer with these settings."""
        return Deployer(self._settings(ProcessSettings))
