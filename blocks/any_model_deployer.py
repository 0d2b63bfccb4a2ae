"""The deployer that a flow takes: in the form a tab for each flavor; from Python also a third party's Block."""

from pydantic.json_schema import SkipJsonSchema

from blocks.docker_model_deployer import DockerModelDeployer
from blocks.model_deployer_block import ModelDeployerBlock
from blocks.process_model_deployer import ProcessModelDeployer

AnyModelDeployer = ProcessModelDeployer | DockerModelDeployer | SkipJsonSchema[ModelDeployerBlock] | SkipJsonSchema[str]
"""A model deployer's Block, or a reference as `deployer.load` takes it."""
