"""A clock that goes on only when somebody reads it or sleeps: hours cost nothing, and every run is alike."""

import functools
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from unittest import mock

from deployer.flavors.memory.platform import Run, Stored
from deployer.rollout.wait import Deadline

READ_S = 0.001
SHORTEST_SLEEP_S = 0.2
READERS = ("deployer.rollout.", "deployer.flavors.memory.", "deployer.testing.faults", "tenacity.nap")


class Clock:
    """Stands for the module `time` in whatever rolls out, waits or plays a platform."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._now = 1000.0

    def monotonic(self) -> float:
        """Each look takes a moment, so that who only looks comes to his deadline too."""
        self.pass_(READ_S)
        return self._now

    def sleep(self, seconds: float) -> None:
        """Wakes late, as anybody may: a poll of milliseconds would only cost time here."""
        self.pass_(max(seconds, SHORTEST_SLEEP_S))

    def pass_(self, seconds: float) -> None:
        with self._lock:
            self._now += seconds

    @contextmanager
    def installed(self) -> Iterator[None]:
        with ExitStack() as stack:
            for name, module in sorted(sys.modules.items()):
                if name.startswith(READERS) and getattr(module, "time", None) is time:
                    stack.enter_context(mock.patch.object(module, "time", self))
            for made, began in ((Deadline, "began"), (Run, "began"), (Stored, "created")):
                stack.enter_context(mock.patch.object(made, "__init__", self._beginning_now(made.__init__, began)))
            yield

    def _beginning_now(self, original: Callable[..., None], began: str) -> Callable[..., None]:
        """The defaults of a dataclass hold the real clock since it was defined."""

        @functools.wraps(original)
        def made(*args: object, **named: object) -> None:
            original(*args, **({began: self.monotonic()} | named))

        return made
