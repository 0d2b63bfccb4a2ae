"""What may be left that nobody needs any more, kind by kind."""

import os
import shutil
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable


@dataclass(frozen=True)
class Leftovers:
    """One kind of thing that is left where nobody names it any more.

    Attributes:
        kind: what each of them is, in words.
        found: where each is that nobody names and nobody touched for so many seconds.
        remove: removes one, unless somebody has touched it since.
    """

    kind: str
    found: Callable[[float], Iterable[Path]]
    remove: Callable[[Path, float], object]


@runtime_checkable
class HasLeftovers(Protocol):
    """A deployer, an engine or a gateway that leaves things of its own."""

    def leftovers(self) -> list[Leftovers]: ...


def old_files(kind: str, folder: Path) -> Leftovers:
    """All that lies in a folder, once it has lain there for a while."""

    def found(untouched_s: float) -> list[Path]:
        with suppress(FileNotFoundError, NotADirectoryError):
            return [path for path in sorted(folder.iterdir()) if lies_untouched(path, untouched_s)]
        return []

    def remove(path: Path, untouched_s: float) -> None:
        with suppress(FileNotFoundError):
            if lies_untouched(path, untouched_s):
                erase(path)

    return Leftovers(kind, found, remove)


def lies_untouched(path: Path, seconds: float) -> bool:
    """Whether it was neither changed nor moved for so long; False where it is gone."""
    try:
        status = path.lstat()
    except FileNotFoundError:
        return False
    return time.time() - max(status.st_mtime, status.st_ctime) >= seconds


def erase(path: Path) -> None:
    """Remove a file or a folder, as far as one can."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def size_of(path: Path) -> int:
    """Bytes of a file, or of all files in a folder; what vanishes meanwhile counts nothing."""
    if not path.is_dir() or path.is_symlink():
        return _size(path)
    return sum(_size(Path(parent, name)) for parent, _, names in os.walk(path) for name in names)


def _size(path: Path) -> int:
    with suppress(OSError):
        return path.lstat().st_size
    return 0
