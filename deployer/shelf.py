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

    def has(self, key: str) -> bool:
        return bool(KEY.fullmatch(key)) and (self.root / key).is_dir()

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
            with locked(entry) as held:
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

    def untouched(self, keep: Set[str], untouched_s: float) -> list[Path]:
        """Where entries lie that are not in `keep` and that nobody touched for so many seconds."""
        others = [self.root / key for key in sorted(self.keys() - keep)]
        return [entry for entry in others if _untouched(entry, untouched_s)]

    def remove(self, key: str, untouched_s: float = 0.0) -> bool:
        """Remove an entry, unless somebody touched it within so many seconds; whether it is gone by that."""
        entry = self.root / key
        # Another one who removes may be faster at any line.
        with suppress(FileNotFoundError):
            if _untouched(entry, untouched_s):
                with locked(entry) as held:
                    return held is not None and self._set_aside(entry, untouched_s)
        return False

    def broken_off(self, untouched_s: float = 0.0) -> list[Path]:
        """Where entries lie that nobody makes any more."""
        begun = sorted(self.root.glob(f"{UNFINISHED}*"))
        return [path for path in begun if is_abandoned(path, max(untouched_s, UNLOCKED_S))]

    def collect(self, keep: Set[str], untouched_s: float = UNTOUCHED_S) -> set[str]:
        """Remove what is not in `keep` and was not touched for so many seconds, and what was broken off.

        Returns:
            The keys of the entries that were removed.
        """
        for path in self.broken_off():
            remove_if_abandoned(path)
        return {entry.name for entry in self.untouched(keep, untouched_s) if self.remove(entry.name, untouched_s)}

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
def locked(folder: Path, patience_s: float = 0.0) -> Iterator[int | None]:
    """The descriptor that holds the folder's lock, None where another has it; the kernel frees it at our end."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        yield descriptor if locks.exclusive(descriptor, patience_s) else None
    finally:
        os.close(descriptor)


def is_abandoned(unfinished: Path, untouched_s: float = UNLOCKED_S) -> bool:
    """Whether nobody touched it for so many seconds, and nobody has its lock."""
    with suppress(FileNotFoundError):
        if _untouched(unfinished, untouched_s):
            with locked(unfinished) as held:
                return held is not None
    return False


def remove_if_abandoned(unfinished: Path, untouched_s: float = UNLOCKED_S) -> None:
    """Remove it while nobody can take it up again."""
    with suppress(FileNotFoundError):
        if _untouched(unfinished, untouched_s):
            with locked(unfinished) as held:
                if held is not None and _untouched(unfinished, untouched_s):
                    shutil.rmtree(unfinished, ignore_errors=True)


def flush(entry: Path) -> None:
    """So that a machine that loses power finds either no entry or a whole one."""
    for parent, _, names in os.walk(entry):
        for name in names:
            if not (path := Path(parent, name)).is_symlink():  # It is on the disk with its folder.
                fsync(path)
        fsync(Path(parent))


def fsync(path: Path) -> None:
    """Have a file or a folder on the disk for good."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _untouched(entry: Path, seconds: float) -> bool:
    """False where it is gone: another one who removes may be faster at any line."""
    try:
        return time.time() - entry.stat().st_mtime >= seconds
    except FileNotFoundError:
        return False
