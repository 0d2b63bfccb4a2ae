"""Puts a model behind a URL that never goes down, however often the model changes."""

from importlib import import_module

TYPE_CHECKING = False  # typing's own would cost each start of a server 15 ms

if TYPE_CHECKING:
    from deployer.base import BaseModelDeployer as BaseModelDeployer
    from deployer.client import predict as predict
    from deployer.config import Command as Command
    from deployer.config import Drain as Drain
    from deployer.config import ModelServerConfig as ModelServerConfig
    from deployer.config import Probes as Probes
    from deployer.config import Provenance as Provenance
    from deployer.engine_deployer import EngineModelDeployer as EngineModelDeployer
    from deployer.errors import DeployerError as DeployerError
    from deployer.references import load as load
    from deployer.server import ModelServer as ModelServer
    from deployer.server import State as State

__version__ = "0.1.0"

_HOMES = {
    "BaseModelDeployer": "base",
    "Command": "config",
    "DeployerError": "errors",
    "Drain": "config",
    "EngineModelDeployer": "engine_deployer",
    "ModelServer": "server",
    "ModelServerConfig": "config",
    "Probes": "config",
    "Provenance": "config",
    "State": "server",
    "load": "references",
    "predict": "client",
}
__all__ = [*_HOMES, "__version__"]  # noqa: PLE0604 - the names are those of the table


def __getattr__(name: str) -> object:
    """Import a public name when it is first used, so that importing the package costs nothing."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
