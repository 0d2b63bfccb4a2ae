"""Isolated environments, by what they hold."""

import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from deployer.errors import EnvironmentGone
from deployer.shelf import flush
from deployer.shelved import Shelved

if TYPE_CHECKING:
    from deployer.environments.definition import Definition

COMPLETE = "definition"
VENV = "venv"


class Environments(Shelved):
    """Builds each environment once; any number of deployers may share them.

    One is `<root>/<key>/venv`, with what it was built from in `definition` beside it.
    """

    def __init__(self, root: Path) -> None:
        super().__init__(root, "The environments' folder")

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

        with self._writing(), self._shelf.making() as (entry, held):
            build(definition, entry / VENV, told, left_s, held)
            (entry / COMPLETE).write_text(json.dumps(definition.describe(), indent=1))
            flush(entry)
            if not self.has(key):
                self._shelf.remove(key)  # Its interpreter is gone from the machine.
            self._shelf.put(entry, key)

    def _python(self, key: str) -> Path:
        return self.root / key / VENV / "bin" / "python"
