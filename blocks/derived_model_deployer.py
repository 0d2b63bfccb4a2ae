"""A Block for a deployer of somebody else's, derived from its settings."""

from inspect import cleandoc
from typing import Any

from blocks.model_deployer_block import ModelDeployerBlock
from deployer.base import BaseModelDeployer
from deployer.prefect_block import block_type


def block_of(deployer: type[BaseModelDeployer]) -> type[ModelDeployerBlock]:
    """Its Block type: `<flavor>-model-deployer`, with the fields of the flavor's settings."""
    settings: Any = deployer.SETTINGS
    make: Any = deployer

    def get_deployer(self: ModelDeployerBlock) -> BaseModelDeployer:
        """The deployer with these settings."""
        made: BaseModelDeployer = make(self._settings(settings))
        return made

    described = cleandoc(deployer.__doc__ or f"The flavor {deployer.FLAVOR}.").partition("\n")[0]
    return type(
        deployer.__name__,
        (settings, ModelDeployerBlock),
        {
            "__module__": deployer.__module__,
            "__doc__": described,
            "_block_type_name": f"{deployer.FLAVOR.replace('-', ' ').title()} Model Deployer",
            "_block_type_slug": block_type(deployer.FLAVOR),
            "_description": described,
            "model_config": ModelDeployerBlock.model_config,
            "get_deployer": get_deployer,
        },
    )
