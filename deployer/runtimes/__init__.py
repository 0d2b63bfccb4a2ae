"""How a model becomes an HTTP server."""

from deployer.errors import UnknownName
from deployer.runtimes.command import CommandRuntime
from deployer.runtimes.mlflow import MLflowRuntime
from deployer.runtimes.runtime import Runtime

RUNTIMES: dict[str, Runtime] = {"mlflow": MLflowRuntime(), "command": CommandRuntime()}


def runtime_of(name: str) -> Runtime:
    """The runtime of that name.

    Raises:
        UnknownName: there is none.
    """
    try:
        return RUNTIMES[name]
    except KeyError:
        known = ", ".join(sorted(RUNTIMES))
        raise UnknownName(f"There is no runtime {name!r}.", hint=f"Known are: {known}.") from None
