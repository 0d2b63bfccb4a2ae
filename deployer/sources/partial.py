"""What has come of models so far, so that the next attempt goes on from there."""

import hashlib
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from deployer.errors import RolloutTimeout, Transient
from deployer.processes.locks import exclusive

PARTIAL = ".partial-"
KEPT_S = 24 * 3600.0


class Partials:
    """Folders below a store's root, one for each version of a URI, locked by whoever fetches into it."""

    def __init__(self, root: Path) -> None:
        self._root = root

    @contextmanager
    def work(self, uri: str, version: str) -> Iterator[Path]:
        """A folder of one's own to fetch into; it stays where another attempt may go on from it.

        Without a version, or where somebody else is at it, it begins empty and goes in any case.
        """
        own = hashlib.sha256(os.urandom(32)).hexdigest()
        shared = hashlib.sha256(f"{uri}\0{version}".encode()).hexdigest()
        for key in (shared, own) if version else (own,):
            folder = self._root / f"{PARTIAL}{key[:40]}"
            folder.mkdir(parents=True, exist_ok=True)
            os.utime(folder)
            with _locked(folder) as is_ours:
                if is_ours:
                    yield from self._used(folder, kept=key == shared)
                    return

    def collect(self) -> None:
        """Remove what nobody has gone on with for a day."""
        for folder in self._root.glob(f"{PARTIAL}*"):
            with suppress(FileNotFoundError):
                if _is_old(folder):
                    with _locked(folder) as is_ours:
                        if is_ours and _is_old(folder):
                            shutil.rmtree(folder, ignore_errors=True)

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


def _is_old(folder: Path) -> bool:
    return time.time() - folder.stat().st_mtime >= KEPT_S


@contextmanager
def _locked(folder: Path) -> Iterator[bool]:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        yield exclusive(descriptor)
    finally:
        os.close(descriptor)
