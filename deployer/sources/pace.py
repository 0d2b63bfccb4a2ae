"""How large the pieces of a download are: as much as comes in about a second, so that it shows how far it is."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

SMALLEST, LARGEST = 256 * 1024, 8 * 1024 * 1024
QUICK_S, SLOW_S = 0.5, 2.0


class Pace:
    """Begins with the smallest pieces, which a slow line brings too, and goes on with what the line can do.

    Attributes:
        piece: how many bytes the next piece shall have at most.
    """

    def __init__(self) -> None:
        self.piece = SMALLEST

    @contextmanager
    def measured(self, size: int) -> Iterator[None]:
        """While a piece of that size is fetched."""
        began = time.monotonic()
        yield
        self._took(size, time.monotonic() - began)

    def _took(self, size: int, seconds: float) -> None:
        # Of small files' pieces, quick as they are, nothing is learnt of large ones.
        if seconds < QUICK_S and size >= self.piece:
            self.piece = min(2 * size, LARGEST)
        elif seconds > SLOW_S:
            self.piece = max(min(size, self.piece) // 2, SMALLEST)
