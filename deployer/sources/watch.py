"""How far a fetch is: what it tells of itself, and when it is broken off."""

import shutil
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TypeVar

from deployer.errors import RolloutTimeout, StateDirectoryUnusable
from deployer.words import size_in_words

T = TypeVar("T")
OnBytes = Callable[[int, int | None], None]
"""Told how many bytes are here, and of how many, where that is known."""

TOLD_EVERY_S = 0.5


def ignore(done: int, total: int | None) -> None:
    """Tells nobody."""


class Watch:
    """Counts a fetch's bytes, tells of them twice a second, and breaks it off when its time is over.

    Args:
        until: an instant of the monotonic clock; None: it may take as long as it takes.
    """

    def __init__(self, on_bytes: OnBytes = ignore, until: float | None = None) -> None:
        self._on_bytes = on_bytes
        self._until = until
        self._lock = threading.Lock()
        self._told = time.monotonic()
        self._done = 0
        self._total: int | None = None

    def expect(self, total: int | None, room: Path, here: int = 0) -> None:
        """So much is to come, `here` of it being here already.

        Raises:
            StateDirectoryUnusable: the disk of the folder `room` has no room for it.
        """
        self._done, self._total = here, total
        free = shutil.disk_usage(room).free
        if total is not None and total - here > free:
            raise StateDirectoryUnusable(
                f"No space left: the model has {size_in_words(total)}, and {size_in_words(free)} are free for models.",
                serving="What serves now serves on; nothing was fetched.",
                hint="Free some space there, or name a state directory on a larger disk.",
            )

    def got(self, count: int) -> None:
        """So many bytes more are here.

        Raises:
            RolloutTimeout: the time is over.
        """
        with self._lock:
            self._done += count
        self.beat()

    def at(self, done: int) -> None:
        """So many bytes are here in all; no sign of life where they are no more than before.

        Raises:
            RolloutTimeout: the time is over.
        """
        with self._lock:
            more, self._done = done > self._done, done
        if more:
            self.beat()
        else:
            self._require_time()

    def alive(self, things: Iterable[T]) -> Iterator[T]:
        """The same, each of them a sign of life."""
        for thing in things:
            self.beat()
            yield thing

    def beat(self) -> None:
        """It goes on, whether or not bytes have come."""
        self._require_time()
        if (now := time.monotonic()) - self._told >= TOLD_EVERY_S:
            self._told = now
            self._on_bytes(self._done, self._total)

    def _require_time(self) -> None:
        if self._until is not None and time.monotonic() > self._until:
            raise out_of_time(self._done, self._total)


def out_of_time(done: int, total: int | None) -> RolloutTimeout:
    """The caller's time ran out while the model was fetched."""
    return RolloutTimeout(
        f"The model was not fetched in the time allowed: {so_far(done, total)} were here.",
        serving="What serves now serves on; nothing was changed.",
        hint="Allow more time (timeout); where its source can, the next attempt goes on from there.",
    )


def so_far(done: int, total: int | None) -> str:
    """`1.5 GB of 4.0 GB`, or `1.5 GB` where the whole is not known."""
    return f"{size_in_words(done)} of {size_in_words(total)}" if total else size_in_words(done)
