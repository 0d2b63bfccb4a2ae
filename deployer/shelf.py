"""A folder of entries that are there whole or not at all; any number of deployers share it, and none waits."""

import os
import re
import secrets
import shutil
import time
from collections.abc import Iterator, Set
from contextlib import contextmanager, suppress
from pathlib import Path

from deployer.processes import locks

KEY = re.compile(r"[0-9a-f]{64}")
UNFINISHED = ".tmp-"
UNTOUCHED_S = 24 * 3600.0
UNLOCKED_S = 60.0
"""What is being made and is this old has its lock, or nobody."""


class Shelf:
    """Keeps entries under the hash of what they hold.

    An entry is `<root>/<key>/…`; what is being made lies in `<root>/.tmp-…`, locked by whoever makes it.
    Every method raises OSError where the root cannot be written.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def keys(self) -> set[str]:
        return {path.name for path in self.root.iterdir() if KEY.fullmatch(path.name)} if self.root.is_dir() else set()

    def touch(self, key: str) -> bool:
        """Say that somebody counts on it, so that it stays for a day; whether it is there."""
        try:
            os.utime(self.root / key)
        except FileNotFoundError:
            return False
        return True

    @contextmanager
    def making(self) -> Iterator[tuple[Path, int]]:
        """An empty folder, and the descriptor that holds its lock; removed afterwards, unless it was put in place."""
        entry = self._new_name()
        entry.mkdir(mode=0o700, parents=True)
        try:
            with _lock(entry) as held:
                assert held is not None, "nobody else knows its name"
                yield entry, held
        finally:
            shutil.rmtree(entry, ignore_errors=True)

    def put(self, entry: Path, key: str) -> None:
        """Into its place, in one instant; who comes second leaves the first one's there."""
        os.utime(entry)
        try:
            entry.rename(self.root / key)
        except OSError:
            if not self.touch(key):
                raise

    def remove(self, key: str, untouched_s: float = 0.0) -> bool:
        """Remove an entry, unless somebody touched it within so many seconds; whether it is gone by that."""
        entry = self.root / key
        # Another one who removes may be faster at any line.
        with suppress(FileNotFoundError):
            if _untouched(entry, untouched_s):
                with _lock(entry) as held:
                    return held is not None and self._set_aside(entry, untouched_s)
        return False

    def collect(self, keep: Set[str], untouched_s: float = UNTOUCHED_S) -> set[str]:
        """Remove what is not in `keep` and was not touched for so many seconds, and what was broken off.

        Returns:
            The keys of the entries that were removed.
        """
        if not self.root.is_dir():
            return set()
        for path in self.root.glob(f"{UNFINISHED}*"):
            _remove_if_abandoned(path)
        return {key for key in self.keys() - keep if self.remove(key, untouched_s)}

    def _set_aside(self, entry: Path, untouched_s: float) -> bool:
        aside = entry.rename(self._new_name())
        if _untouched(aside, untouched_s):
            shutil.rmtree(aside, ignore_errors=True)
            return True
        # Somebody touched it after the first look, and counts on it.
        with suppress(OSError):
            aside.rename(entry)
        return False

    def _new_name(self) -> Path:
        return self.root / f"{UNFINISHED}{secrets.token_hex(8)}"


@contextmanager
def _lock(folder: Path) -> Iterator[int | None]:
    """The descriptor that holds the folder's lock, None where another has it; the kernel frees it at our end."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        yield descriptor if locks.exclusive(descriptor, patience_s=0) else None
    finally:
        os.close(descriptor)


def _remove_if_abandoned(unfinished: Path) -> None:
    with suppress(FileNotFoundError):
        if _untouched(unfinished, UNLOCKED_S):
            with _lock(unfinished) as held:
                if held is not None:
                    shutil.rmtree(unfinished, ignore_errors=True)


def _untouched(entry: Path, seconds: float) -> bool:
    return time.time() - entry.stat().st_mtime >= seconds
