"""Tar archives, member by member, with no more in memory than a sound one asks for."""

import gzip
import io
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from deployer.errors import InvalidModel

LARGEST_HEADER = 1024 * 1024
"""Names and attributes of one member; tarfile reads them whole, of whatever length they say they are."""


def members(archive: Path) -> Iterator[tuple[tarfile.TarInfo, IO[bytes] | None]]:
    """Each member of a gzipped archive, with its content where it is a file; to be read before the next one.

    Raises:
        InvalidModel: what stands before a member's content is larger than any model's.
        OSError, tarfile.TarError, zlib.error, EOFError: it is broken.
    """
    with gzip.open(archive) as unzipped:
        stream = Bounded(unzipped, archive.name)
        with tarfile.open(fileobj=stream, mode="r:") as opened:
            while member := opened.next():
                stream.left = None
                yield member, opened.extractfile(member) if member.islnk() or member.isreg() else None
                stream.left = LARGEST_HEADER


class Bounded(io.RawIOBase):
    """A stream in which whoever asks for too much is refused.

    Attributes:
        left: how much may still be read; None: as much as there is.
    """

    def __init__(self, stream: gzip.GzipFile, name: str) -> None:
        super().__init__()
        self._stream = stream
        self._name = name
        self.left: int | None = LARGEST_HEADER

    def read(self, size: int = -1) -> bytes:
        if self.left is not None:
            self.left -= size
            if size < 0 or self.left < 0:
                raise InvalidModel(f"The archive {self._name} holds a name or attributes larger than any model's.")
        return self._stream.read(size)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return self._stream.seek(offset, whence)

    def tell(self) -> int:
        return self._stream.tell()
