"""What a model is known by: the digest of its bytes."""

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

CHUNK = 1024 * 1024
Beat = Callable[[], object]
"""Called after each chunk: hashing a large model takes minutes."""


def silently() -> None:
    """For those whom nobody waits for."""


def digest_of(model: Path, beat: Beat = silently) -> str:
    """The SHA-256 of a model's bytes and their places in it, as 64 hex digits.

    It is taken over the sorted lines `path NUL size NUL sha256(content)`, the paths relative and with
    slashes; times, permissions and order do not matter. A single file's path is `./` and its name, which
    tells it from a folder that holds just this file.
    """
    if model.is_file():
        return digest_of_lines([_line(f"./{model.name}", model, beat)])
    return digest_of_lines(_line(file.relative_to(model).as_posix(), file, beat) for file in _files(model))


def digest_of_lines(lines: Iterable[bytes]) -> str:
    """The digest of a model of which each file's line is known."""
    return hashlib.sha256(b"".join(sorted(lines))).hexdigest()


def line(place: str, size: int, content: str) -> bytes:
    """A file's line: where it stands in the model, and its content's size and SHA-256."""
    return os.fsencode(f"{place}\0{size}\0{content}\n")


def _line(place: str, file: Path, beat: Beat) -> bytes:
    content = hashlib.sha256()
    with file.open("rb") as stream:
        while chunk := stream.read(CHUNK):
            content.update(chunk)
            beat()
        return line(place, os.fstat(stream.fileno()).st_size, content.hexdigest())


def _files(folder: Path) -> Iterator[Path]:
    return (Path(parent, name) for parent, _, names in os.walk(folder) for name in names)
