"""The flow that lists model servers."""

from prefect import flow

from blocks.any_model_deployer import AnyModelDeployer
from deployer import tasks
from deployer.server import ModelServer
from flows.model_server_artifacts import publish_registry


@flow(name="find-model-servers")
def find_model_servers(
    deployer: AnyModelDeployer,
    running: bool = False,
    model_name: str = "",
    model_uri: str = "",
    model_type: str = "",
    pipeline_name: str = "",
    pipeline_run_id: str = "",
    pipeline_step_name: str = "",
) -> list[ModelServer]:
    """Find model servers, and publish them as a table; an empty filter lets all pass.

    Args:
        deployer: where they run.
        running: only those that pass their health check now.
        model_name: only those that serve this model.
        model_uri: only those whose model came from there.
        model_type: only those of this type, like sklearn.
        pipeline_name: only those that this flow deployed.
        pipeline_run_id: only those that this flow run deployed.
        pipeline_step_name: only those that this task deployed.
    """
    servers = tasks.find_model_servers(
        deployer,
        running,
        model_name=model_name or None,
        model_uri=model_uri or None,
        model_type=model_type or None,
        pipeline_name=pipeline_name or None,
        pipeline_run_id=pipeline_run_id or None,
        pipeline_step_name=pipeline_step_name or None,
    )
    publish_registry(servers)
    return servers
