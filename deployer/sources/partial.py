"""What has come of models so far, so that the next attempt goes on from there."""

import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from deployer.errors import RolloutTimeout, Transient
from deployer.shelf import UNLOCKED_S, is_abandoned, locked, remove_if_abandoned

PARTIAL = ".partial-"
KEPT_S = 24 * 3600.0
PATIENCE_S = 1.0
"""Who looks whether anybody is at it holds its lock for an instant."""


class Partials:
    """Folders below a store's root, one for each version of a URI, locked by whoever fetches into it."""

    def __init__(self, root: Path) -> None:
        self._root = root

    @contextmanager
    def work(self, uri: str, version: str) -> Iterator[Path]:
        """A folder of one's own to fetch into; it stays where another attempt may go on from it.

        Without a version, or where somebody else is at it, it begins empty and goes in any case.
        """
        if version:
            shared = self._folder(f"{uri}\0{version}".encode())
            with self._claimed(shared) as mine:
                if mine:
                    yield from self._used(shared, kept=True)
                    return
        own = self._folder(os.urandom(32))
        with self._made(own):
            yield from self._used(own, kept=False)

    def broken_off(self, untouched_s: float) -> list[Path]:
        """Those that nobody is at, and nobody touched for so many seconds."""
        return [folder for folder in self._all() if is_abandoned(folder, max(untouched_s, UNLOCKED_S))]

    def collect(self) -> None:
        """Remove what nobody has gone on with for a day."""
        for folder in self._all():
            remove_if_abandoned(folder, KEPT_S)

    def _folder(self, named_by: bytes) -> Path:
        return self._root / f"{PARTIAL}{hashlib.sha256(named_by).hexdigest()[:40]}"

    @contextmanager
    def _claimed(self, folder: Path) -> Iterator[bool]:
        """Whether it is ours: whoever had it before may be done meanwhile, and have removed it at any line."""
        with ExitStack() as stack:
            try:
                held = stack.enter_context(self._made(folder))
                mine = held is not None and os.path.samestat(os.fstat(held), folder.stat())
            except (FileExistsError, FileNotFoundError):
                mine = False
            yield mine

    @contextmanager
    def _made(self, folder: Path) -> Iterator[int | None]:
        """The descriptor that holds its lock; None where another has it."""
        folder.mkdir(parents=True, exist_ok=True)
        os.utime(folder)
        with locked(folder, PATIENCE_S) as held:
            yield held

    def _all(self) -> list[Path]:
        return sorted(self._root.glob(f"{PARTIAL}*"))

    def _used(self, folder: Path, kept: bool) -> Iterator[Path]:
        keep = False
        try:
            yield folder
        except BaseException as error:
            # Whoever is interrupted may be called again, too.
            keep = kept and (isinstance(error, Transient | RolloutTimeout) or not isinstance(error, Exception))
            raise
        finally:
            if not keep:
                shutil.rmtree(folder, ignore_errors=True)
