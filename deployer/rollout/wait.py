"""Deadlines."""

import math
import time
from dataclasses import dataclass, field, replace
from threading import Event

HANGING_PAUSE_S = 0.1
"""Between two looks at what runs and does not answer."""


@dataclass(frozen=True)
class Deadline:
    """A span of time that begins when it is made."""

    seconds: float
    began: float = field(default_factory=time.monotonic)
    _ended: Event = field(default_factory=Event, repr=False, compare=False)

    @property
    def left_s(self) -> float:
        return 0.0 if self._ended.is_set() else max(0.0, self.began + self.seconds - time.monotonic())

    @property
    def passed(self) -> bool:
        return self.left_s <= 0

    @property
    def until(self) -> float | None:
        """As an instant of the monotonic clock; None where there is no limit."""
        return self.began + self.seconds if math.isfinite(self.seconds) else None

    @property
    def to_prepare(self) -> "Deadline":
        """For what must be there before a start: who waits for nothing else has that done, however long it takes."""
        return self if self.seconds else UNLIMITED

    def end(self) -> None:
        """Let it have passed, for whoever else heeds it too."""
        self._ended.set()

    def without(self, seconds: float) -> "Deadline":
        """The same where so many seconds do not count."""
        return replace(self, began=self.began + seconds)


UNLIMITED = Deadline(math.inf)
