"""Deployers that freeze, fail and die at any call, one of them at work at a time."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from deployer.engine import Ref
from deployer.engine_deployer import EngineModelDeployer
from deployer.errors import EngineError, EngineUnavailable
from deployer.testing.faults import At, Call, Death, Do, Failure, Freeze, Killed, Lateness, befall

HALTS_WITHIN_S = 60.0

BLIP = EngineUnavailable("a test lets it fail, as it may once")
REFUSAL = EngineError("a test lets it fail for good")
LATE_S = 150.0
"""Longer than any caller of theirs is patient."""
AFault = Freeze | Death | Failure | Lateness
FAULTS: dict[str, Callable[[At, bool], AFault]] = {
    "freezes": Freeze,
    "dies": Death,
    "fails once": lambda at, after: Failure(at, BLIP, after),
    "fails again and again": lambda at, after: Failure(at, BLIP, after, for_good=True),
    "is refused": lambda at, after: Failure(at, REFUSAL, after, for_good=True),
    "is late": lambda at, after: Lateness(at, LATE_S, after),
    "is interrupted": lambda at, after: Failure(at, KeyboardInterrupt(), after),
}


@dataclass(frozen=True)
class Plight:
    """What befalls a deployer, at which call of its operation, and whether the call took effect before."""

    what: str
    call: int
    after: bool

    def fault(self, begins_at: int) -> AFault:
        return FAULTS[self.what](lambda call: call.number == begins_at + self.call, self.after)


@dataclass(eq=False)
class Attempt:
    """One operation of one deployer, and what its caller was told.

    Attributes:
        created: the workloads that it created.
        halted: set whenever its deployer stands still, or is done.
    """

    faults: Sequence[AFault]
    created: list[Ref] = field(default_factory=list)
    result: Any = None
    error: BaseException | None = None
    over: bool = False
    halted: threading.Event = field(default_factory=threading.Event)

    @property
    def disturbed(self) -> bool:
        """Whether anything befell its deployer."""
        return any(fault.befell for fault in self.faults)

    @property
    def others_moved(self) -> bool:
        """Whether others may have, from its begin to its end: it stood still."""
        return any(fault.befell for fault in self.faults if isinstance(fault, Freeze))

    @property
    def late(self) -> bool:
        """Whether a call of its deployer was."""
        return any(fault.befell for fault in self.faults if isinstance(fault, Lateness))

    @property
    def failed(self) -> bool:
        """Whether a call of its deployer did."""
        return any(fault.befell for fault in self.faults if isinstance(fault, Failure))

    @property
    def killed(self) -> bool:
        return isinstance(self.error, Killed)

    def let(self, error: BaseException) -> bool:
        """Whether it is an error that a test let befall its deployer."""
        failures = [fault for fault in self.faults if isinstance(fault, Failure) and fault.befell]
        return self.killed or any(error is failure.error for failure in failures)


Lookout = Callable[[Attempt | None, Call, Do], Any]


class Actor:
    """A deployer and what it is at; it works on in a thread of its own where it may freeze.

    Args:
        lookout: stands around each call that reaches the platform.
    """

    def __init__(self, deployer: EngineModelDeployer, lookout: Lookout) -> None:
        self.deployer = befall(deployer, self)
        self.attempt: Attempt | None = None
        self._lookout = lookout
        self._calls = 0
        self._thread: threading.Thread | None = None

    @property
    def busy(self) -> bool:
        return self.attempt is not None and not self.attempt.over

    def around(self, call: Call, do: Do) -> Any:
        self._calls = call.number + 1
        through = partial(self._lookout, self.attempt, call, do)
        for fault in self.attempt.faults if self.attempt else ():
            through = partial(fault.around, call, through)
        return through()

    def begin(self, work: Callable[[EngineModelDeployer], Any], plights: Sequence[Plight]) -> Attempt:
        """Work until it is done or frozen."""
        assert not self.busy
        self.attempt = attempt = Attempt([plight.fault(self._calls) for plight in plights])
        freezes = [fault for fault in attempt.faults if isinstance(fault, Freeze)]
        for freeze in freezes:
            freeze.frozen = attempt.halted
        if not freezes:
            self._work(work, attempt)
            return attempt
        self._thread = threading.Thread(target=self._work, args=(work, attempt), name="deployer", daemon=True)
        self._thread.start()
        self._halt(attempt)
        return attempt

    def thaw(self) -> None:
        """Let it work on until it is done, or frozen again."""
        attempt = self.attempt
        assert attempt
        attempt.halted.clear()
        for fault in attempt.faults:
            if isinstance(fault, Freeze) and fault.befell:
                fault.thaw()
        self._halt(attempt)

    def _halt(self, attempt: Attempt) -> None:
        assert attempt.halted.wait(HALTS_WITHIN_S), "it neither froze nor came to its end"
        if attempt.over and self._thread:
            self._thread.join(HALTS_WITHIN_S)

    def _work(self, work: Callable[[EngineModelDeployer], Any], attempt: Attempt) -> None:
        try:
            attempt.result = work(self.deployer)
        except BaseException as error:
            attempt.error = error
        attempt.over = True
        attempt.halted.set()
