"""What stands at a model URI elsewhere, before and after it is fetched."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Protocol

from deployer.errors import InvalidModel
from deployer.sources.watch import Watch

LEFT_OUT = "__pycache__"
FOLDER, FILE = "folder", "file"
"""Where a model lies in what the store keeps of it, and in what is brought: as a folder, or a single file in that."""


@dataclass(frozen=True)
class RemoteFile:
    """One file of a model elsewhere.

    Attributes:
        place: where it stands in the model, with slashes.
        key: what its source calls it.
        size: None where the source does not say.
        version: changes whenever its content does; empty where the source does not say.
        sums: what its source says of its content, by the name of the sum (`sha256`, `md5`, `git`), in hex.
    """

    place: str
    key: str
    size: int | None
    version: str = ""
    sums: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Brought:
    """A model that is here: its folder or file, and its digest."""

    path: Path
    digest: str


class Remote(Protocol):
    """A model elsewhere, looked at and not yet fetched."""

    @property
    def version(self) -> str:
        """Another one whenever its bytes are others; empty where that cannot be told."""
        ...

    def bring(self, work: Path, watch: Watch) -> Brought:
        """Fetch it into a folder, going on with what an earlier attempt at the same version left there."""
        ...


def version_of(files: list[RemoteFile]) -> str:
    """One version of all files; empty where one of them has none."""
    if not all(file.version for file in files):
        return ""
    lines = sorted(f"{file.place}\0{file.size}\0{file.version}\n" for file in files)
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def checked_place(place: str, of: str) -> str:
    """A place that lies within the model.

    Raises:
        InvalidModel: it does not.
    """
    parts = place.split("/")
    if not place or "\0" in place or any(part in ("", ".", "..") for part in parts):
        raise InvalidModel(
            f"{of} holds {place!r}, which is no place within a model.",
            hint="Make it anew from the model's folder, with relative names and without `..`.",
        )
    return place


def is_left_out(place: str) -> bool:
    return LEFT_OUT in PurePosixPath(place).parts
