"""The flow that rolls a model server back."""

from typing import Annotated

from prefect import flow
from pydantic import Field

from blocks.any_model_deployer import AnyModelDeployer
from deployer import tasks
from deployer.rollout.steps import Progress
from deployer.server import ModelServer
from flows.model_server_artifacts import publish_card

Revision = Annotated[int, Field(ge=1)]


@flow(name="rollback-model-server")
def rollback_model_server(
    deployer: AnyModelDeployer, server: str, timeout: int = 300, revision: Revision | None = None
) -> ModelServer:
    """Serve an earlier revision again, and publish the server's card.

    Args:
        deployer: where it runs.
        server: its name or UUID.
        timeout: seconds until the earlier revision must take traffic again.
        revision: which; the last that served before the present one, when empty.
    """
    one = tasks.deployer_of(deployer)
    steps: list[Progress] = []
    with tasks.steps_told(one, steps.append):
        back = tasks.rollback_model_server(server, one, revision, timeout)
    publish_card(one, back, steps)
    return back
