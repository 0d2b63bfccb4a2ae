"""The gateway before a reconcile: one that runs goes on as it is, whatever it cannot be given anew."""

from deployer.errors import DeployerError, InvalidConfig, PrefectUnavailable, SecretUnresolved
from deployer.gateway import Gateway, TellsWhetherItAnswers

NOT_TO_BE_HAD = (InvalidConfig, PrefectUnavailable, SecretUnresolved)
"""Its token or its certificate: a variable that is not set here, a file that is being renewed."""


def ensured(gateway: Gateway) -> str:
    """See to it that the gateway runs; what keeps one that does from being brought up to date, in words.

    Raises:
        DeployerError: it does not run, and is not started without what it is to be given.
    """
    try:
        gateway.ensure()
    except NOT_TO_BE_HAD as error:
        if not _answers(gateway):
            raise
        return f"The gateway runs on as it is, and was not brought up to date: {error}"
    return ""


def _answers(gateway: Gateway) -> bool:
    try:
        return isinstance(gateway, TellsWhetherItAnswers) and gateway.answers()
    except DeployerError:
        return False
