"""The small files of a process's folder; each is there whole or not at all."""

import contextlib
import json
import os
from pathlib import Path
from typing import Any

LOCK = "lock"
WANTED = "wanted"
PID = "pid"
STARTS = "starts"
ENDED = "ended"
ADDRESS = "address"
LOG = "log"
RUNNING = "running"


def write(path: Path, content: object) -> None:
    """Put JSON in place of what stands there, as `write_text` does."""
    write_text(path, json.dumps(content))


def write_text(path: Path, text: str) -> None:
    """Put a text in place of what stands there, in one instant, on the disk for good.

    Raises:
        OSError: what stood there before still stands.
    """
    temporary = path.with_name(f".{path.name}.{os.urandom(6).hex()}")
    try:
        with open(temporary, "x", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise


def read(path: Path) -> dict[str, Any]:
    """The JSON object that stands there; empty where none does."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}
