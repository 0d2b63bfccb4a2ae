"""What a server may be given of the engine's machine; refused before anything is touched."""

from deployer.config import Resources
from deployer.errors import Unsupported
from deployer.flavors.docker.connection import Connection
from deployer.flavors.docker.refusals import refusals

LEAST_MEMORY = 6 * 2**20
"""The engine refuses less."""


def require_possible(resources: Resources, connection: Connection) -> None:
    """Refuse what the engine's machine does not have.

    Raises:
        Unsupported: it does not.
    """
    with refusals("the engine could not be asked what it has"):
        told = connection.api.info()
    cpus, memory = int(told["NCPU"]), int(told["MemTotal"])
    if resources.cpu is not None and resources.cpu > cpus:
        raise Unsupported(f"{resources.cpu:g} CPUs are asked for; the engine has {cpus}.", hint="Ask for fewer.")
    wanted = resources.memory_bytes
    if wanted is not None and wanted < LEAST_MEMORY:
        what = f"{resources.memory} of memory are asked for; an engine gives 6Mi at least."
        raise Unsupported(what, hint="Ask for more: a model server takes some hundred Mi.")
    if wanted is not None and wanted > memory:
        what = f"{resources.memory} of memory are asked for; the engine's machine has {memory // 2**20}Mi."
        raise Unsupported(what, hint="Ask for less, or use a larger machine.")
