"""Requests without pause, and who answered them when."""

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import TracebackType

LIMIT_S = 240.0
FELL_SILENT = "the hammer fell silent: its time was over before what it was to watch"
ENDS_WITHIN_S = 40.0


@dataclass(frozen=True)
class Reply:
    """What one request got.

    Attributes:
        status: of HTTP; 0 where no answer came.
        answer: of the model; where there is none, what went wrong.
        revision: which answered, by the header Model-Server-Revision; 0 where none did.
    """

    status: int
    answer: str = ""
    revision: int = 0

    @property
    def ok(self) -> bool:
        return self.status == 200


@dataclass(frozen=True)
class Timed:
    """A reply, with when its request began and ended, by `time.monotonic`."""

    began: float
    ended: float
    reply: Reply


class Hammer:
    """Sends requests from several threads while its context is open, for a bounded time.

    Args:
        askers: each sends one request when it is called, and is called without pause by a thread of its own.
        closers: called once no asker asks any more.
        limit_s: seconds after which it falls silent by itself, which counts as a failure: nobody knows what came then.

    Attributes:
        rest_s: seconds that each asker rests after a request; for who needs the machine for more than requests.
        fell_silent: whether its time was over before its context closed.
    """

    rest_s: float = 0.0
    fell_silent: bool = False

    def __init__(
        self,
        askers: Sequence[Callable[[], Reply]],
        closers: Sequence[Callable[[], None]] = (),
        limit_s: float = LIMIT_S,
    ) -> None:
        self._askers = askers
        self._closers = closers
        self._over = threading.Event()
        self._until = time.monotonic() + limit_s
        self._kept: list[list[Timed]] = [[] for _ in askers]
        self._threads = [
            threading.Thread(target=self._ask_on, args=(ask, kept), name="hammer", daemon=True)
            for ask, kept in zip(askers, self._kept, strict=True)
        ]

    def __enter__(self) -> "Hammer":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.fell_silent = time.monotonic() > self._until
        self._over.set()
        for thread in self._threads:
            thread.join(ENDS_WITHIN_S)
        for close in self._closers:
            close()

    @property
    def replies(self) -> list[Timed]:
        """All that has ended so far, by when it began."""
        return sorted((timed for kept in self._kept for timed in list(kept)), key=lambda timed: timed.began)

    @property
    def sent(self) -> int:
        return sum(map(len, self._kept))

    @property
    def failed(self) -> list[Reply]:
        unasked = [Reply(0, FELL_SILENT)] if self.fell_silent else []
        return [timed.reply for timed in self.replies if not timed.reply.ok] + unasked

    @property
    def answers(self) -> dict[int, set[str]]:
        """What was answered, by the revision that did."""
        found = defaultdict[int, set[str]](set)
        for timed in self.replies:
            if timed.reply.ok:
                found[timed.reply.revision].add(timed.reply.answer)
        return dict(found)

    def answers_begun_after(self, moment: float) -> set[str]:
        """Who answered the requests that began after a moment of `time.monotonic`."""
        return {timed.reply.answer for timed in self.replies if timed.began > moment}

    def ask_now(self) -> None:
        """One request more, from the caller's own thread, while the context is open."""
        if not self._over.is_set():
            _keep(self._askers[0], self._kept[0])

    def _ask_on(self, ask: Callable[[], Reply], kept: list[Timed]) -> None:
        while not self._over.is_set() and time.monotonic() < self._until:
            _keep(ask, kept)
            self._over.wait(self.rest_s)


def _keep(ask: Callable[[], Reply], kept: list[Timed]) -> None:
    began = time.monotonic()
    reply = ask()
    kept.append(Timed(began, time.monotonic(), reply))
