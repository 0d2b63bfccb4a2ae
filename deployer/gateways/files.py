"""Files that several deployers write at the same time: locked for a moment, replaced whole."""

import fcntl
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from deployer.errors import GatewayDown, StateDirectoryUnusable
from deployer.processes import locks
from deployer.processes.files import write_text
from deployer.processes.passing import AGAIN, passes


@contextmanager
def storage(action: str) -> Iterator[None]:
    """Turn what the file system refuses into errors of ours; `action` says what could not be done.

    Raises:
        GatewayDown: it refuses just now.
        StateDirectoryUnusable: it refuses.
    """
    try:
        yield
    except OSError as error:
        what = f"could not {action}: {error.strerror or error}: {error.filename or ''}".rstrip(": ")
        serving = "what stood before still stands"
        if passes(error):
            raise GatewayDown(what, serving=serving, hint=AGAIN) from error
        hint = "see to it that the state directory is on a local disk, writable and not full"
        raise StateDirectoryUnusable(what, serving=serving, hint=hint) from error


@contextmanager
def locked(path: Path, deadline_s: float) -> Iterator[None]:
    """Hold the file's lock; the kernel frees it when its holder dies.

    Raises:
        GatewayDown: somebody else held it for all of `deadline_s` seconds.
    """
    with path.open("a") as file:
        if not locks.exclusive(file.fileno(), deadline_s):
            what = f"another deployer has held {path} for {deadline_s:g} s"
            raise GatewayDown(what, hint="it may be suspended: wake or end it, then try again")
        try:
            yield
        finally:
            # Said aloud, because a child that was forked meanwhile keeps the file open.
            fcntl.flock(file, fcntl.LOCK_UN)


def replace_file(path: Path, text: str, scratch: Path) -> None:
    """Put the whole text at `path` or leave what is there; `scratch` is a folder on the same file system.

    Whoever calls it holds the lock for that path: then a text begun for it is of somebody who was killed.
    """
    remove_unfinished(path, scratch)
    write_text(path, text, scratch / f"{_unfinished(path)}{secrets.token_hex(6)}")


def remove_unfinished(path: Path, scratch: Path) -> None:
    """Remove what was begun for `path` and never came into place."""
    for temporary in scratch.glob(f"{_unfinished(path)}*"):
        temporary.unlink(missing_ok=True)


def _unfinished(path: Path) -> str:
    """How the names of texts begin that are to stand at `path`."""
    return f"{path.parent.name}-{path.name}."
