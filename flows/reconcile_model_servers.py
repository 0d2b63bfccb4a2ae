"""The flow that brings every model server to what it should be; made to run each minute."""

from prefect import flow

from blocks.any_model_deployer import AnyModelDeployer
from deployer import tasks
from deployer.errors import RolloutError
from deployer.rollout.reconcile import Report
from flows.model_server_artifacts import publish_registry


@flow(name="reconcile-model-servers")
def reconcile_model_servers(deployer: AnyModelDeployer, timeout: int = 50) -> Report:
    """Finish rollouts, bring back what died, remove what is left over; publish the model servers as a table.

    Args:
        deployer: where they run.
        timeout: seconds; what is not done by then is left to the next run.

    Raises:
        RolloutError: a server could not be brought to what it should be, or something went wrong beside the servers;
            the others were.
    """
    one = tasks.deployer_of(deployer)
    report = tasks.reconcile(one, timeout)
    publish_registry(tasks.find_model_servers(one))
    if not report.went_well:
        raise _failure(report)
    return report


def _failure(report: Report) -> RolloutError:
    failed, all_of_them = len(report.failed), len(report.servers)
    what = f"{failed} of {all_of_them} model servers could not be brought to what they should be."
    errors = [f"{server.name}: {server.error}" for server in report.failed]
    return RolloutError(
        "\n".join([what, *errors, *report.troubles]),
        hint="The next reconcile tries again; `model-deployer describe` tells more of a server.",
    )
