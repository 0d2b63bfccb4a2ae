"""Builds a virtual environment that may be moved afterwards."""

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from deployer.environments.definition import Definition
from deployer.environments.index import no_index
from deployer.environments.python_version import python_here
from deployer.environments.uv import UvFailed, run_uv
from deployer.errors import EnvironmentFailed, EnvironmentMismatch, RolloutTimeout

UNCHANGED = "What served before serves on; nothing was changed."


def build(definition: Definition, venv: Path, told: Callable[[str], object], left_s: float | None, held: int) -> None:
    """Make the environment with what the definition asks for.

    Args:
        held: the descriptor of a lock that is to outlive the deployer as long as uv does.

    Raises:
        EnvironmentFailed, EnvironmentMismatch, RolloutTimeout: there is none.
    """
    began = time.monotonic()

    def run(*arguments: str) -> None:
        left = None if left_s is None else left_s - (time.monotonic() - began)
        run_uv(arguments, venv.parent, told, left, held)

    with _told_apart(left_s):
        _make(definition, venv, run)
        if arguments := list(_what_to_install(definition, venv.parent)):
            python = str(venv / "bin" / "python")
            run("pip", "install", "--python", python, "--compile-bytecode", *arguments)


def _make(definition: Definition, venv: Path, run: Callable[..., None]) -> None:
    here = definition.python == python_here()
    python = sys.executable if here else definition.python
    try:
        run("venv", "--relocatable", "--no-project", "--python", python, str(venv))
    except UvFailed as error:
        if here or not error.in_time:
            raise
        raise EnvironmentMismatch(
            f"The model was made with Python {definition.python}, which is not found on this machine; here it is "
            f"{python_here()}.",
            serving=UNCHANGED,
            hint=f"Install Python {definition.python} (uv python install {definition.python}), or save the model with "
            f"Python {python_here()}.",
        ) from None


def _what_to_install(definition: Definition, folder: Path) -> Iterator[str]:
    """As uv's arguments; by files, which have room for any number."""
    if not definition.lines:
        return
    for option, lines in {"requirements": definition.lines, "constraints": definition.constraints}.items():
        if lines:
            (folder / f"{option}.txt").write_text("".join(f"{line}\n" for line in lines))
            yield from (f"--{option}", f"{option}.txt")
    if definition.takes_pre_releases:
        yield "--prerelease=allow"
    if no_index(os.environ):
        yield "--no-index"


@contextmanager
def _told_apart(left_s: float | None) -> Iterator[None]:
    try:
        yield
    except UvFailed as error:
        if not error.in_time:
            raise RolloutTimeout(
                f"The model's Python environment was not built within the {left_s or 0:.0f} s that were left.",
                serving=UNCHANGED,
                hint="Allow it more time; what was downloaded so far is kept.",
                log_tail=error.lines,
            ) from None
        raise EnvironmentFailed(
            "The model's Python environment could not be built. uv says:",
            serving=UNCHANGED,
            hint="Correct the model's requirements.txt, or where packages come from: UV_… and PIP_… variables where "
            "the deployer runs.",
            log_tail=error.lines,
        ) from None
