"""Which digest a version of a model URI had, so that it need not be fetched to know it."""

import hashlib
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

FOLDER = ".known"


class Remembered:
    """Small files below a store's root, each named by a hash of URI and version; all of them may be lost."""

    def __init__(self, root: Path) -> None:
        self._folder = root / FOLDER

    def digest(self, uri: str, version: str) -> str:
        """Empty where it is not known."""
        with suppress(OSError):
            return self._file(uri, version).read_text()
        return ""

    def note(self, uri: str, version: str, digest: str) -> None:
        if not version:
            return
        self._folder.mkdir(exist_ok=True)
        file = self._file(uri, version)
        temporary = file.with_suffix(f".{os.urandom(6).hex()}")
        temporary.write_text(digest)
        temporary.replace(file)

    def forget(self, is_kept: Callable[[str], bool]) -> None:
        """All whose models are not kept."""
        with suppress(OSError):
            for file in self._folder.iterdir():
                if not is_kept(file.read_text()):
                    file.unlink()

    def _file(self, uri: str, version: str) -> Path:
        return self._folder / hashlib.sha256(f"{uri}\0{version}".encode()).hexdigest()
