"""A Block for a deployer of somebody else's, derived from its settings."""

from inspect import cleandoc
from typing import Any

from blocks.model_deployer_block import ModelDeployerBlock
from deployer.base import BaseModelDeployer


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
            "_block_type_slug": slug_of(deployer.FLAVOR),
            "_description": described,
            "model_config": ModelDeployerBlock.model_config,
            "get_deployer": get_deployer,
        },
    )


def slug_of(flavor: str) -> str:
    """The slug of a flavor's Block type."""
    return f"{flavor}-model-deployer"
