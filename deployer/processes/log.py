"""A server's log: kept within its size, and read from its end. What is too old for `log` is in `log.1`."""

import contextlib
import os
from collections.abc import Iterable
from pathlib import Path

BLOCK = 64 * 1024


def older(log: Path) -> Path:
    return log.with_name(f"{log.name}.1")


def keep_within(log: Path, limit: int) -> None:
    """Once it has half of `limit` bytes, its end becomes `log.1`; the server goes on writing to an empty one."""
    half = limit // 2
    with open(log, "r+b") as current:
        size = os.fstat(current.fileno()).st_size
        if size <= half:
            return
        if size > limit:
            current.seek(size - half)
            current.readline()
        temporary = log.with_name(f".{older(log).name}")
        with open(temporary, "wb") as kept:
            kept.write(current.read(limit))
            kept.write(current.read())  # What came meanwhile; what comes from here to the cut is lost.
        os.replace(temporary, older(log))
        current.truncate(0)


class LogReader:
    """Reads a log's last lines, then what comes, while a starter cuts it."""

    def __init__(self, log: Path) -> None:
        self._log = log
        self._offset = 0
        self._cut = self._last_cut()
        self._begun = b""

    def size(self) -> int:
        """Bytes of all that is kept."""
        return sum(path.stat().st_size for path in (self._log, older(self._log)) if path.exists())

    def tail(self, count: int) -> list[str]:
        """The last `count` whole lines; `more` goes on after them."""
        recent, self._begun, self._offset = _last_lines(self._log, count)
        missing = count - len(recent)
        before = _last_lines(older(self._log), missing)[0] if missing > 0 else []
        return _as_text([*before, *recent])

    def more(self) -> list[str]:
        """The whole lines written since the last look."""
        fresh = b""
        if (cut := self._last_cut()) != self._cut:
            fresh = self._read(older(self._log))
            self._cut, self._offset = cut, 0
        fresh += self._read(self._log)
        *lines, self._begun = (self._begun + fresh).split(b"\n")
        return _as_text(lines)

    def rest(self) -> list[str]:
        """The last line, if it has no end yet."""
        begun, self._begun = self._begun, b""
        return _as_text([begun] if begun else [])

    def _last_cut(self) -> tuple[int, int]:
        with contextlib.suppress(OSError):
            cut = older(self._log).stat()
            return cut.st_ino, cut.st_mtime_ns
        return 0, 0

    def _read(self, path: Path) -> bytes:
        try:
            with open(path, "rb") as file:
                file.seek(self._offset)
                content = file.read()
        except FileNotFoundError:
            return b""
        self._offset += len(content)
        return content


def _last_lines(path: Path, count: int) -> tuple[list[bytes], bytes, int]:
    """The last whole lines, what was begun after them, and the file's size."""
    try:
        with open(path, "rb") as file:
            size = start = file.seek(0, os.SEEK_END)
            content = b""
            while start and content.count(b"\n") <= count:
                step = min(BLOCK, start)
                start -= step
                file.seek(start)
                content = file.read(step) + content
    except FileNotFoundError:
        return [], b"", 0
    *lines, begun = content.split(b"\n")
    return lines[-count:] if count > 0 else [], begun, size


def _as_text(lines: Iterable[bytes]) -> list[str]:
    return [line.decode(errors="replace").removesuffix("\r") for line in lines]
