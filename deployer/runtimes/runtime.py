"""The contract of a runtime: how a model becomes an HTTP server."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from deployer.config import ModelServerConfig
from deployer.engine import Launch

if TYPE_CHECKING:
    from deployer.environments.requirements import Requirements


@dataclass(frozen=True)
class Place:
    """Where a runtime is to run.

    Attributes:
        python: the interpreter, where no isolated environment is asked for.
        is_here: as a process of this machine, with what is installed for this interpreter; else in a container, with
            what its image has.
    """

    python: str
    is_here: bool


HERE = Place(sys.executable, True)
IN_IMAGE = Place("python3", False)


class Runtime(Protocol):
    """How a model becomes an HTTP server, wherever it runs."""

    @property
    def protocol(self) -> str:
        """How predictions are asked for: a key of `deployer.client.PROTOCOLS`."""
        ...

    def check_config(self, config: ModelServerConfig, place: Place = HERE) -> None:
        """Look at the config alone.

        Raises:
            InvalidConfig: a section that this runtime needs is missing or senseless.
            Unsupported: it cannot run there.
        """
        ...

    def model_type(self, model: Path) -> str:
        """What the model says it is, empty where it does not say.

        Raises:
            InvalidModel: the runtime cannot serve what stands there.
        """
        ...

    def names_python(self, config: ModelServerConfig) -> bool:
        """Whether what it runs is Python, and an interpreter of our choice."""
        ...

    def needs(self, requirements: "Requirements", python: str) -> tuple[str, ...]:
        """What an isolated environment must hold for it beside the model's requirements.

        Args:
            python: the version of the environment's interpreter, as in 3.11.
        """
        ...

    def launch(self, config: ModelServerConfig, place: Place = HERE) -> Launch:
        """How to run it; `{python}` stands for the interpreter of an isolated environment."""
        ...

    def prediction_path(self, config: ModelServerConfig) -> str:
        """Path below the server's URL that takes predictions."""
        ...
