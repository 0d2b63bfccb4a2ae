"""Isolated environments, by what they hold."""

import json
from collections.abc import Callable, Set
from contextlib import suppress
from errno import EDQUOT, ENOSPC
from pathlib import Path
from typing import TYPE_CHECKING

from deployer.errors import DeployerError, EngineUnavailable, EnvironmentGone, StateDirectoryUnusable
from deployer.processes.passing import AGAIN, passes
from deployer.shelf import UNLOCKED_S, UNTOUCHED_S, Shelf, flush, remove_if_abandoned

if TYPE_CHECKING:
    from deployer.environments.definition import Definition

COMPLETE = "definition"
VENV = "venv"


class Environments:
    """Builds each environment once; any number of deployers may share them.

    One is `<root>/<key>/venv`, with what it was built from in `definition` beside it.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._shelf = Shelf(root)

    def has(self, key: str) -> bool:
        """Whether it is here and its interpreter is still on the machine; asking for it counts as a touch."""
        with suppress(OSError):
            return self._shelf.touch(key) and (self.root / key / COMPLETE).exists() and self._python(key).exists()
        return False

    def python(self, key: str) -> Path:
        """Its interpreter; asking for it counts as a touch.

        Raises:
            EnvironmentGone: it is not here.
        """
        if not self.has(key):
            raise EnvironmentGone(
                f"The Python environment {key[:12]} is no longer in {self.root}.",
                hint="Start the server, or deploy its model again: it is built anew.",
            )
        return self._python(key)

    def build(self, key: str, definition: "Definition", told: Callable[[str], object], left_s: float | None) -> None:
        """Build it under that key; of two who do so at once the first is done, and its is used.

        Args:
            told: called with each line that uv writes.
            left_s: how long it may take; None: as long as it takes.

        Raises:
            EnvironmentFailed: uv says no.
            RolloutTimeout: it took too long.
            EnvironmentMismatch: the Python that it needs is not on this machine.
            StateDirectoryUnusable: its folder cannot be written, or is full.
        """
        from deployer.environments.build import build

        try:
            with self._shelf.making() as (entry, held):
                build(definition, entry / VENV, told, left_s, held)
                (entry / COMPLETE).write_text(json.dumps(definition.describe(), indent=1))
                flush(entry)
                if not self.has(key):
                    self._shelf.remove(key)  # Its interpreter is gone from the machine.
                self._shelf.put(entry, key)
        except OSError as error:
            raise self._unusable(error) from None

    def has_others(self, kept: Set[str]) -> bool:
        """Whether there are environments that are not in `kept`."""
        return not self._shelf.keys() <= kept

    def untouched(self, kept: Set[str], untouched_s: float) -> list[Path]:
        """Where environments lie that are not in `kept` and that nobody touched for so many seconds."""
        return self._shelf.untouched(kept, untouched_s)

    def remove_untouched(self, entry: Path, untouched_s: float) -> bool:
        """Remove one of those, unless somebody has touched it since; whether it is gone."""
        try:
            return self._shelf.remove(entry.name, untouched_s)
        except OSError as error:
            raise self._unusable(error) from None

    def broken_off(self, untouched_s: float) -> list[Path]:
        """Where builds lie that nobody goes on with."""
        return self._shelf.broken_off(untouched_s)

    def remove_broken_off(self, unfinished: Path, untouched_s: float) -> None:
        """Remove one of those, unless somebody builds it."""
        remove_if_abandoned(unfinished, max(untouched_s, UNLOCKED_S))

    def collect(self, kept: Set[str], untouched_s: float = UNTOUCHED_S) -> set[str]:
        """Remove those that are not in `kept` and that nobody touched for so many seconds, and broken-off builds.

        Returns:
            The keys of those that were removed.
        """
        try:
            return self._shelf.collect(kept, untouched_s)
        except OSError as error:
            raise self._unusable(error) from None

    def _python(self, key: str) -> Path:
        return self.root / key / VENV / "bin" / "python"

    def _unusable(self, error: OSError) -> DeployerError:
        if passes(error):
            what = f"The environments' folder {self.root} cannot be written just now: {error.strerror}."
            return EngineUnavailable(what, hint=AGAIN)
        full = error.errno in (ENOSPC, EDQUOT)
        what = f"The environments' folder {self.root} cannot be written: {error.strerror}."
        hint = "Free some space on its disk" if full else "Make it writable for this user"
        return StateDirectoryUnusable(what, hint=f"{hint}, then try again.")
