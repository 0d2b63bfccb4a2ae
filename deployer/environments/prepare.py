"""Sees to a revision's Python environment before its rollout begins."""

import shlex
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from deployer.config import ModelServerConfig
from deployer.environments.python_version import python_here, python_of
from deployer.environments.store import Environments
from deployer.errors import EnvironmentMismatch, InvalidModel, Unsupported
from deployer.records.record import Environment
from deployer.rollout.steps import Action, OnProgress, Progress, Step
from deployer.runtimes import runtime_of
from deployer.runtimes.runtime import HERE, Place

if TYPE_CHECKING:
    from deployer.environments.requirements import Requirements

ISOLATED, UNCHECKED = "isolated", "unchecked"


class EnvironmentPreparer:
    """Checks what a model requires against what is installed, or builds an environment that has it.

    Args:
        environments: None where the flavor has none.
        place: where it is going to run; what a container's image has is its own.
    """

    def __init__(self, environments: Environments | None, on_progress: OnProgress, place: Place = HERE) -> None:
        self._environments = environments
        self._tell = on_progress
        self._place = place

    def check_config(self, config: ModelServerConfig) -> None:
        """Refuse what cannot be had, before anything is touched.

        Raises:
            Unsupported: an isolated environment, where the flavor has none, or without uv.
        """
        if config.environment != ISOLATED:
            return
        if self._environments is None:
            raise Unsupported(
                "This flavor builds no isolated Python environments.",
                hint="Leave `environment` at `current`, or use a flavor that does, as `process`.",
            )
        from deployer.environments.uv import find_uv

        find_uv()

    def choose(self, config: ModelServerConfig, model: Path) -> Environment | None:
        """The isolated environment that the config asks for, built or not; None where it asks for none.

        Raises:
            InvalidModel: its requirements cannot be read.
            EnvironmentMismatch: it asks for none, and what is installed here is not what the model requires.
        """
        if config.environment == ISOLATED:
            return self._isolated(config, model)
        is_checked = self._place.is_here and config.environment != UNCHECKED
        if is_checked and runtime_of(config.runtime).names_python(config):
            require_installed(model)
        return None

    def is_here(self, environment: Environment | None) -> bool:
        """Whether there is nothing to build."""
        return environment is None or (self._environments is not None and self._environments.has(environment.key))

    def build(self, environment: Environment, name: str, model: Path, left_s: float | None) -> None:
        """Build it if it is not here, and tell of it as a step.

        Args:
            name: the server's.
            left_s: how long it may take; None: as long as it takes.

        Raises:
            EnvironmentFailed, EnvironmentMismatch, RolloutTimeout: there is none.
        """
        if self._environments is None or self.is_here(environment):
            return
        from deployer.environments.definition import Definition

        definition = Definition(_requirements(model), environment.needs, environment.python)
        step, began = build_step(environment), time.monotonic()
        self._tell(Progress(name, step))
        self._environments.build(environment.key, definition, self._line_teller(name, step), left_s)
        self._tell(Progress(name, step, time.monotonic() - began))

    def _isolated(self, config: ModelServerConfig, model: Path) -> Environment:
        from deployer.environments.definition import Definition

        requirements, python = _requirements(model), python_of(model) or python_here()
        needs = runtime_of(config.runtime).needs(requirements, python)
        definition = Definition(requirements, needs, python)
        definition.check()
        return Environment(key=definition.key, python=python, needs=needs)

    def _line_teller(self, name: str, step: Step) -> Callable[[str], None]:
        return lambda line: self._tell(Progress(name, step, detail=line))


def build_step(environment: Environment) -> Step:
    """What is told while it is built."""
    cause = f"a Python {environment.python} with the model's requirements, {environment.key[:12]}"
    return Step(action=Action.BUILD, cause=cause)


def require_installed(model: Path) -> None:
    """See that this interpreter is what the model requires.

    Raises:
        InvalidModel: its requirements cannot be read.
        EnvironmentMismatch: it is not; what is missing or differs is named.
    """
    from deployer.environments.requirements import requirements_of

    requirements = requirements_of(model)
    if (python := python_of(model)) and python != python_here():
        raise _mismatch(
            f"The model was made with Python {python}; it would be served by Python {python_here()}.",
            f"Save it with Python {python_here()}",
        )
    if requirements is None:
        return
    from deployer.environments.installed import mismatches

    if found := mismatches(requirements):
        raise _mismatch(
            "\n- ".join(["The model requires what is not installed here, where it would be served:", *map(str, found)]),
            f"Install it: pip install {shlex.join(dict.fromkeys(mismatch.wanted for mismatch in found))}",
        )


def _mismatch(what: str, mended: str) -> EnvironmentMismatch:
    hint = f"{mended}; or let `environment: isolated` build an environment of its own; `unchecked` serves it as it is."
    return EnvironmentMismatch(what, serving="What served before serves on; nothing was changed.", hint=hint)


def _requirements(model: Path) -> "Requirements":
    from deployer.environments.requirements import requirements_of

    if requirements := requirements_of(model):
        return requirements
    raise InvalidModel(
        "The model has no requirements.txt, so no environment can be built for it.",
        hint="Save its requirements beside it, in a file requirements.txt; or leave `environment` at `current`.",
    )
