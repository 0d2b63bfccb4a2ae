"""What lies on a shelf, as those who keep it there speak of it: models, environments."""

from collections.abc import Iterator, Set
from contextlib import contextmanager
from errno import EDQUOT, EFBIG, ENOSPC
from pathlib import Path

from deployer.errors import DeployerError, EngineUnavailable, StateDirectoryUnusable
from deployer.processes.passing import AGAIN, passes
from deployer.shelf import UNLOCKED_S, UNTOUCHED_S, Shelf, remove_if_abandoned


class Shelved:
    """The entries of a shelf, of which those that nobody names any more can be found and removed.

    Args:
        what: what the shelf is, for errors.
    """

    def __init__(self, root: Path, what: str) -> None:
        self.root = root
        self._what = what
        self._shelf = Shelf(root)

    def unnamed(self, keep: Set[str]) -> set[str]:
        """The keys of those that are here and not in `keep`."""
        return self._shelf.keys() - keep

    def untouched(self, keep: Set[str], untouched_s: float) -> list[Path]:
        """Where those lie that nobody names in `keep` and nobody touched for so many seconds."""
        return self._shelf.untouched(keep, untouched_s)

    def remove(self, entry: Path, untouched_s: float) -> bool:
        """Remove one of those, unless somebody has touched it since; whether it is gone.

        Raises:
            StateDirectoryUnusable: the shelf cannot be written.
        """
        with self._writing():
            return self._shelf.remove(entry.name, untouched_s)

    def broken_off(self, untouched_s: float) -> list[Path]:
        """Where those lie that were begun, and nobody makes any more."""
        return self._shelf.broken_off(untouched_s)

    def remove_broken_off(self, unfinished: Path, untouched_s: float) -> None:
        """Remove one of those, unless somebody makes it."""
        remove_if_abandoned(unfinished, max(untouched_s, UNLOCKED_S))

    def collect(self, keep: Set[str], untouched_s: float = UNTOUCHED_S) -> set[str]:
        """Remove those that nobody names in `keep` and nobody touched for so many seconds, and what was broken off.

        Returns:
            The keys of those that were removed.

        Raises:
            StateDirectoryUnusable: the shelf cannot be written.
        """
        with self._writing():
            return self._shelf.collect(keep, untouched_s)

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise self._unusable(error) from None

    def _unusable(self, error: OSError) -> DeployerError:
        what = f"{self._what} {self.root} cannot be written"
        if passes(error):
            return EngineUnavailable(f"{what} just now: {error.strerror}.", hint=AGAIN)
        if error.errno in (ENOSPC, EDQUOT, EFBIG):
            hint = "Free some space on its disk, then try again."
        else:
            hint = "Make it writable for this user, or name another state directory."
        return StateDirectoryUnusable(f"{what}: {error.strerror}.", hint=hint)
