"""Deployers in processes of their own, which SIGKILL and SIGSTOP befall."""

import multiprocessing
import os
import signal
import threading
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Any

import psutil

from deployer.engine_deployer import EngineModelDeployer
from deployer.testing.faults import Call, Do, Killed, befall
from deployer.testing.harness import Harness

FROZEN_WITHIN_S = 30.0
ENDS_WITHIN_S = 60.0
POLL_S = 0.002

# Forked from a process without threads that has imported already what they need.
PROCESSES = multiprocessing.get_context("forkserver")

Act = Callable[[EngineModelDeployer], Any]
"""What a deployer is asked to do; it must pickle, as a module's function or an `operator.methodcaller` does."""


@dataclass
class Strike:
    """A signal that befalls a deployer's process at a call: before it takes effect, or after.

    Attributes:
        countdown: which call of that name; 1 is the next.
    """

    number: signal.Signals
    call: str
    after: bool = False
    countdown: int = 1

    def around(self, call: Call, do: Do) -> Any:
        """Make the call, and be struck if it is the one that is meant."""
        self.countdown -= call.name == self.call
        if call.name != self.call or self.countdown:
            return do()
        if not self.after:
            signal.raise_signal(self.number)
            return do()
        done = do()
        signal.raise_signal(self.number)
        return done


@dataclass
class _InTurn:
    """Lets the calls of a deployer's threads come one after the other, so that no strike falls into another call."""

    strike: Strike
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def around(self, call: Call, do: Do) -> Any:
        with self._lock:
            return self.strike.around(call, do)


class Victim:
    """A deployer in a process of its own, about one act; it ends with the context, if not before.

    Args:
        harness: must pickle, as the act must.
        strike: what befalls it, where that is known beforehand.
    """

    def __init__(self, harness: Harness, act: Act, strike: Strike | None = None) -> None:
        PROCESSES.set_forkserver_preload([__name__, type(harness).__module__])
        self._hears, self._tells = PROCESSES.Pipe(duplex=False)
        work = (harness, act, strike, self._tells)
        self._process = PROCESSES.Process(target=_work, args=work, name="victim", daemon=True)

    def __enter__(self) -> "Victim":
        self._process.start()
        self._tells.close()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.kill()
        self._process.join(ENDS_WITHIN_S)
        self._process.close()
        self._hears.close()

    @property
    def pid(self) -> int:
        return self._process.pid or 0

    @property
    def at_work(self) -> bool:
        return self._process.is_alive() and not self._hears.poll()

    def kill(self) -> None:
        """SIGKILL, unless it has ended."""
        self._signal(signal.SIGKILL)

    def freeze(self) -> bool:
        """SIGSTOP; whether it stands still, and has not ended."""
        self._signal(signal.SIGSTOP)
        return self.frozen()

    def thaw(self) -> None:
        """SIGCONT, unless it has ended."""
        self._signal(signal.SIGCONT)

    def frozen(self, within_s: float = FROZEN_WITHIN_S) -> bool:
        """Whether it came to stand still; False where it ended, or did not in time."""
        until = time.monotonic() + within_s
        while self._process.is_alive() and not self._stopped() and time.monotonic() < until:
            time.sleep(POLL_S)
        return self._stopped()

    def told(self, within_s: float = ENDS_WITHIN_S) -> Any:
        """What its caller is told: what was returned, or raised.

        Raises:
            Killed: it was, before it could tell.
            AssertionError: it does not end in time.
        """
        assert self._hears.poll(within_s), f"it has not ended within {within_s:g} s"
        try:
            returned, raised = self._hears.recv()
        except EOFError:
            returned, raised = None, Killed()
        self._process.join(ENDS_WITHIN_S)
        if isinstance(raised, Killed):
            assert self._process.exitcode == -signal.SIGKILL, f"it ended with {self._process.exitcode}"
        if raised:
            raise raised
        return returned

    def _stopped(self) -> bool:
        try:
            return psutil.Process(self.pid).status() == psutil.STATUS_STOPPED
        except psutil.NoSuchProcess:
            return False

    def _signal(self, number: signal.Signals) -> None:
        if self._process.is_alive():
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)


def elsewhere(harness: Harness, act: Act) -> Any:
    """Let a deployer in a process of its own do it; what that returns or raises."""
    with Victim(harness, act) as unharmed:
        return unharmed.told()


def _work(harness: Harness, act: Act, strike: Strike | None, tells: Connection) -> None:
    deployer = harness.deployer()
    if strike:
        befall(deployer, _InTurn(strike))
    try:
        returned, raised = act(deployer), None
    except Exception as error:
        returned, raised = None, error
        error.add_note(traceback.format_exc())
    tells.send((returned, raised))
