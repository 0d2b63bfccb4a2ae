"""Downloads a model's files: several pieces at once, in their order, hashed as they are written.

Each file grows from its start, so that what an earlier attempt left is known by its size alone.
"""

import hashlib
from collections import deque
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from deployer import digest
from deployer.errors import ModelChanged, SourceUnavailable, Transient
from deployer.sources.answers import NOTHING_CHANGED
from deployer.sources.pace import Pace
from deployer.sources.remote import RemoteFile
from deployer.sources.watch import Watch

AT_ONCE = 6
CHUNK = 1024 * 1024
ATTEMPTS = 5
LONGEST_WAIT_S = 5

ReadPiece = Callable[[RemoteFile, int, int], bytes]
"""The bytes of a file from one place up to another, or fewer where it has no more."""

Stream = Callable[[RemoteFile, int], tuple[int, Iterator[bytes]]]
"""The bytes of a file from a place on, or from its start where its source can no better; says which."""


def again_and_again() -> Retrying:
    """Once more after each transient error, five times in all."""
    return Retrying(
        retry=retry_if_exception_type(Transient),
        stop=stop_after_attempt(ATTEMPTS),
        wait=wait_random_exponential(multiplier=0.2, max=LONGEST_WAIT_S),
        reraise=True,
    )


def download_pieces(files: list[RemoteFile], read: ReadPiece, into: Path, watch: Watch) -> list[bytes]:
    """Download files whose sizes are known by pieces, some at once.

    Returns:
        The files' lines, as `deployer.digest` takes them.

    Raises:
        Transient: it could not be had in several attempts; what has come stays.
        ModelChanged: it is not, or no longer, what was to be fetched.
    """
    targets = [Target(file, into / file.place) for file in files]
    watch.expect(sum(file.size or 0 for file in files), into, sum(target.here for target in targets))
    pace = Pace()
    with (
        ThreadPoolExecutor(AT_ONCE) as pool,
        closing(_ahead(pool, _pieces(targets, pace), lambda piece: _content(read, piece, pace))) as pieces,
    ):
        for target in targets:
            with target.opened(watch):
                while target.here < (target.file.size or 0):
                    target.write(next(pieces), watch)
    return [target.line() for target in targets]


def download_stream(file: RemoteFile, stream: Stream, into: Path, watch: Watch) -> list[bytes]:
    """Download one file in one stream, taken up again where it breaks off.

    Returns, raises:
        As `download_pieces`.
    """
    target = Target(file, into / file.place)
    watch.expect(file.size, into, target.here)
    if file.size is None or target.here < file.size:
        again_and_again()(_streamed, target, stream, watch)
    else:
        with target.opened(watch):
            pass
    return [target.line()]


@dataclass(frozen=True)
class Piece:
    """A part of a file, asked for at once."""

    file: RemoteFile
    start: int
    end: int


@dataclass
class Target:
    """A file that is being written."""

    file: RemoteFile
    path: Path

    def __post_init__(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.here = self.path.stat().st_size if self.file.version and self.path.exists() else 0
        if self.file.size is not None and self.here > self.file.size:
            self.here = 0
        self._start_hashes()

    def opened(self, watch: Watch) -> ExitStack:
        """The file, with what is here of it hashed; closed at the end of the context."""
        stack = ExitStack()
        self._out: BinaryIO = stack.enter_context(self.path.open("r+b" if self.here else "wb"))
        self._start_hashes()
        left = self.here
        while left and (chunk := self._out.read(min(CHUNK, left))):
            self._hash(chunk)
            left -= len(chunk)
            watch.beat()
        self._out.truncate(self.here)
        self._out.seek(self.here)
        return stack

    def write(self, chunk: bytes, watch: Watch) -> None:
        self._out.write(chunk)
        self._hash(chunk)
        self.here += len(chunk)
        watch.got(len(chunk))

    def line(self) -> bytes:
        """Its line for the digest, once it is whole.

        Raises:
            ModelChanged: it is not what its source says it is; what is here of it is removed.
        """
        for name, expected in self.file.sums.items():
            if (found := self._hashes[name].hexdigest()) != expected.lower():
                self.path.unlink()
                raise ModelChanged(
                    f"{self.file.place} has the {name} {found} and should have {expected}.",
                    serving=NOTHING_CHANGED,
                    hint="Deploy again; if it stays so, put the file there anew.",
                )
        return digest.line(self.file.place, self.here, self._hashes["sha256"].hexdigest())

    def _start_hashes(self) -> None:
        self._hashes: dict[str, Any] = {name: _hash_for(name, self.file) for name in {"sha256", *self.file.sums}}

    def _hash(self, chunk: bytes) -> None:
        for one in self._hashes.values():
            one.update(chunk)


def _hash_for(name: str, file: RemoteFile) -> Any:
    if name == "git":
        return hashlib.sha1(f"blob {file.size}\0".encode(), usedforsecurity=False)
    return hashlib.new(name, usedforsecurity=False)


def _pieces(targets: list[Target], pace: Pace) -> Iterator[Piece]:
    """All that is still to come, each piece as large as it may be when it is asked for."""
    for target in targets:
        start, size = target.here, target.file.size or 0
        while start < size:
            end = min(start + pace.piece, size)
            yield Piece(target.file, start, end)
            start = end


def _content(read: ReadPiece, piece: Piece, pace: Pace) -> bytes:
    with pace.measured(piece.end - piece.start):
        content = again_and_again()(read, piece.file, piece.start, piece.end)
    if len(content) != piece.end - piece.start:
        raise changed(piece.file.place)
    return content


def _ahead(
    pool: ThreadPoolExecutor, wanted: Iterator[Piece], get: Callable[[Piece], bytes]
) -> Generator[bytes, None, None]:
    """The pieces in their order, a few of them asked for ahead; closed, it asks for no more of them."""
    asked: deque[Future[bytes]] = deque()
    try:
        for piece in wanted:
            asked.append(pool.submit(get, piece))
            if len(asked) > AT_ONCE:
                yield asked.popleft().result()
        while asked:
            yield asked.popleft().result()
    finally:
        for future in asked:
            future.cancel()


def _streamed(target: Target, stream: Stream, watch: Watch) -> None:
    start, chunks = stream(target.file, target.here if target.file.version else 0)
    watch.got(start - target.here)
    target.here = start
    with target.opened(watch):
        for chunk in chunks:
            target.write(chunk, watch)
    if target.file.size is not None and target.here != target.file.size:
        raise SourceUnavailable(f"{target.file.place} broke off after {target.here} of {target.file.size} bytes.")


def changed(what: str) -> ModelChanged:
    """It became another one under way."""
    return ModelChanged(
        f"{what} was changed while it was fetched.",
        serving=NOTHING_CHANGED,
        hint="Deploy again once nobody writes there any more.",
    )
