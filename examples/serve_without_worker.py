"""The shipped flows as deployments of this process: no work pool, no worker, no Block.

    python -m examples.serve_without_worker [state_dir=FOLDER]

From then on they stand in Prefect's UI and can be run there, as long as this process runs. To get the same in a
project of yours, copy this file.
"""

import sys
from typing import Any

from prefect import serve
from prefect.client.schemas.objects import ConcurrencyLimitConfig, ConcurrencyLimitStrategy
from prefect.deployments.runner import RunnerDeployment
from prefect.flows import Flow
from prefect.types.entrypoint import EntrypointType

from flows.delete_model_server import delete_model_server
from flows.deploy_model_server import deploy_model_server
from flows.find_model_servers import find_model_servers
from flows.reconcile_model_servers import reconcile_model_servers
from flows.rollback_model_server import rollback_model_server
from flows.start_model_server import start_model_server
from flows.stop_model_server import stop_model_server

FLOWS: list[Flow[..., Any]] = [
    deploy_model_server,
    find_model_servers,
    start_model_server,
    stop_model_server,
    delete_model_server,
    rollback_model_server,
]
DEPLOYER = {"block_type_slug": "process-model-deployer", "keep_models": 3}
"""The deployer's settings, as the form of a run has them. A stored Block would be
`{"$ref": {"block_document_slug": "process-model-deployer/default"}}`."""


def deployments(deployer: dict[str, Any]) -> list[RunnerDeployment]:
    """Each flow as a deployment; what dies comes back each minute."""
    each_minute: dict[str, Any] = {
        "interval": 60,
        "concurrency_limit": ConcurrencyLimitConfig(limit=1, collision_strategy=ConcurrencyLimitStrategy.CANCEL_NEW),
    }
    return [
        *(_deployment(flow, deployer) for flow in FLOWS),
        _deployment(reconcile_model_servers, deployer, **each_minute),
    ]


def _deployment(flow: Flow[..., Any], deployer: dict[str, Any], **options: Any) -> RunnerDeployment:
    # By module: by file, the flow's folder would come first on the import path of its runs.
    return RunnerDeployment.from_flow(
        flow, flow.name, parameters={"deployer": deployer}, entrypoint_type=EntrypointType.MODULE_PATH, **options
    )


if __name__ == "__main__":
    serve(*deployments({**DEPLOYER, **dict(word.split("=", 1) for word in sys.argv[1:])}))
