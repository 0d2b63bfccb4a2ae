"""What claims to be ours and is not: nonsense, what a newer library wrote, what somebody moved or made by hand."""

import json
import shutil
from collections.abc import Callable, Iterator, Mapping, Set
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from deployer.records.record import Record

NEWER = "newer"
"""The server that a newer library made; it has a route."""

Look = Callable[[], Mapping[str, object]]


@dataclass
class Strangers:
    """Those on one platform.

    Attributes:
        claims: where they stand, as `deployer.engine.Unreadable.where` says it.
        look: all that each of them is now, by name.
    """

    claims: Set[str]
    look: Look

    def __post_init__(self) -> None:
        self._before = self.look()

    def harm(self) -> str:
        """Which of them were touched; empty where none was."""
        now = self.look()
        return ", ".join(name for name, was in self._before.items() if now.get(name) != was)


def newer_record(record: Record) -> str:
    """That record, had it been written for the server `newer` in a format that is not known yet."""
    return json.dumps(record.model_dump(mode="json") | {"name": NEWER, "version": 1000})


@contextmanager
def on_disk(contents: Mapping[Path, Mapping[str, str] | str]) -> Iterator[Look]:
    """Folders of files, or files, each with its content, as long as the context is open; gives what looks at them."""
    for path, content in contents.items():
        _make(path, content)
    try:
        yield lambda: {str(path): _seen(path) for path in contents}
    finally:
        for path in contents:
            path.unlink() if path.is_file() else shutil.rmtree(path)


def _make(path: Path, content: Mapping[str, str] | str) -> None:
    if isinstance(content, str):
        path.write_text(content)
        return
    path.mkdir()
    for name, text in content.items():
        (path / name).write_text(text)


def _seen(path: Path) -> object:
    """Each byte, and whether it is the same file."""
    found = [path, *sorted(path.rglob("*"))] if path.exists() else []
    return [(p, p.stat().st_ino, p.stat().st_mtime_ns, p.read_bytes() if p.is_file() else b"") for p in found]
