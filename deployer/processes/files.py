"""The small files of a process's folder; each is there whole or not at all."""

import contextlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

LOCK = "lock"
WANTED = "wanted"
PID = "pid"
STARTS = "starts"
ENDED = "ended"
SILENT = "silent"
ROOM = "room"
ADDRESS = "address"
LOG = "log"
RUNNING = "running"
CHUNK = 1 << 16


def always() -> bool:
    return True


def write(path: Path, content: object, still: Callable[[], bool] = always) -> None:
    """Put JSON in place of what stands there, as `write_text` does."""
    write_text(path, json.dumps(content), still=still)


def write_text(path: Path, text: str, temporary: Path | None = None, still: Callable[[], bool] = always) -> None:
    """Put a text in place of what stands there, in one instant, on the disk for good.

    Args:
        temporary: where the text is until it is whole; beside `path` without.
        still: asked once the text is whole; it does not come into place where this says no.

    Raises:
        OSError: what stood there before still stands.
    """
    temporary = temporary or path.with_name(f".{path.name}.{os.urandom(6).hex()}")
    try:
        with open(temporary, "x", encoding="utf-8", opener=_private) as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        if still():
            os.replace(temporary, path)
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()


def content(path: str | Path) -> bytes:
    """All that stands there; with little ado, as a list of workloads reads many.

    Raises:
        FileNotFoundError: nothing does.
    """
    descriptor = os.open(path, os.O_RDONLY)
    try:
        chunks = [os.read(descriptor, CHUNK)]
        while len(chunks[-1]) == CHUNK:
            chunks.append(os.read(descriptor, CHUNK))
        return b"".join(chunks)
    finally:
        os.close(descriptor)


def read(path: str | Path) -> dict[str, Any]:
    """The JSON object that stands there; empty where none does."""
    try:
        found = json.loads(content(path))
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
