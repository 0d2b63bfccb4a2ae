"""A command line of the user's own that serves HTTP."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from deployer.config import Command, ModelServerConfig
from deployer.engine import Launch
from deployer.errors import InvalidConfig
from deployer.runtimes.runtime import HERE, Place

if TYPE_CHECKING:
    from deployer.environments.requirements import Requirements

PROTOCOL = "custom"
PYTHON = "{python}"


class CommandRuntime:
    """Runs `config.command`; the port is in its environment as PORT too.

    An isolated environment's programs come first in its PATH.
    """

    protocol = PROTOCOL

    def check_config(self, config: ModelServerConfig, place: Place = HERE) -> None:
        argv = _argv(_section(config))
        if place.is_here and not argv:
            raise InvalidConfig("The command line names no program.", hint="Begin it with the program to run.")

    def model_type(self, model: Path) -> str:
        return ""

    def names_python(self, config: ModelServerConfig) -> bool:
        return any(PYTHON in word for word in _argv(_section(config)))

    def needs(self, requirements: "Requirements", python: str) -> tuple[str, ...]:
        return ()

    def launch(self, config: ModelServerConfig, place: Place = HERE) -> Launch:
        command = _section(config)
        argv = _argv(command)
        if config.environment != "isolated":
            argv = tuple(word.replace(PYTHON, place.python) for word in argv)
        return Launch(
            argv=argv,
            env={"PORT": "{port}", "PYTHONDONTWRITEBYTECODE": "1"},
            readiness_path=(config.probes and config.probes.path) or command.readiness_path,
        )

    def prediction_path(self, config: ModelServerConfig) -> str:
        return _section(config).prediction_path


def _section(config: ModelServerConfig) -> Command:
    if config.command is None:
        raise InvalidConfig(
            "The runtime `command` needs the section `command`.",
            hint='Give the command line that serves the model: {"command": {"line": "… --port {port} {model}"}}.',
        )
    return config.command


def _argv(command: Command) -> tuple[str, ...]:
    try:
        argv = tuple(shlex.split(command.line))
    except ValueError as error:
        raise InvalidConfig(
            f"The command line {command.line!r} cannot be split into words: {str(error).lower()}.",
            hint="Close each quote; no shell runs it, so a quote or backslash meant literally is quoted itself.",
        ) from None
    if argv and not argv[0]:
        raise InvalidConfig("The command line names no program.", hint="Begin it with the program to run.")
    return argv
