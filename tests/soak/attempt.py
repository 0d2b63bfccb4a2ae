"""One deployer about one errand, and the blow that befalls it at a random moment."""

import time
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field
from random import Random
from typing import Any

from deployer.errors import Conflict, DeployerError
from deployer.records.record import HistoryEntry, Outcome
from deployer.server import ModelServer
from deployer.testing.faults import Killed
from deployer.testing.victims import Victim
from tests.soak.errands import Errand

LATEST_MOMENT_S = 2.0
FREEZE_S = 0.2, 4.0
ENDS_WITHIN_S = 180.0


@dataclass(frozen=True)
class Blow:
    """What befalls a deployer: a SIGKILL, or a SIGSTOP for a while.

    Attributes:
        moment_s: seconds after it began.
        freeze_s: how long a SIGSTOP lasts; 0 for a SIGKILL.
    """

    moment_s: float
    freeze_s: float = 0.0


def random_blow(chance: Random, freeze: bool) -> Blow:
    """At any moment while a deployer is usually at work."""
    return Blow(chance.uniform(0, LATEST_MOMENT_S), chance.uniform(*FREEZE_S) if freeze else 0.0)


@dataclass
class Attempt:
    """How it went so far.

    Attributes:
        blow: None where nothing is to befall it.
        frozen: whether it was, for a while.
        raised: what its caller was told, where that was an error; `Killed` where it was told nothing.
    """

    errand: Errand
    victim: Victim
    blow: Blow | None = None
    began: float = field(default_factory=time.monotonic)
    frozen: bool = False
    returned: Any = None
    raised: BaseException | None = None

    @property
    def killed(self) -> bool:
        return isinstance(self.raised, Killed)

    @property
    def told(self) -> str:
        """In a word."""
        return f"{self.errand.what}: {type(self.raised).__name__ if self.raised else 'returned'}"

    def goes_on(self) -> bool:
        """Let happen what is due by now; whether it is still at work then."""
        self._befall()
        if self.victim.at_work:
            return True
        self.end()
        return False

    def end(self) -> None:
        """Wait until it has ended, and hear what its caller was told."""
        self.victim.thaw()
        try:
            self.returned = self.victim.told(ENDS_WITHIN_S)
        except (Killed, Exception) as error:
            self.raised = error

    def untruths(self, excused: bool = False) -> list[str]:
        """What its caller was told and should not have been.

        Args:
            excused: whether anything may have failed that is no deployer's fault.
        """
        told = self.raised
        expected = DeployerError if excused else self.errand.may_raise
        if told is None or self.killed or (isinstance(told, expected) and not isinstance(told, Conflict)):
            return []
        return [f"{self.errand.what} {self.errand.server}: {type(told).__name__}: {told}"]

    def unserved(self, answered: Mapping[int, Set[str]], history: Sequence[HistoryEntry]) -> list[str]:
        """A revision that its caller was told serves, and that never did, or with another model.

        Args:
            answered: what requests were answered meanwhile, by revision.
            history: of the server, of which only the newest revisions are kept.
        """
        told = self.returned
        if not isinstance(told, ModelServer) or told.revision < history[0].number:
            return []
        answers = answered.get(told.revision, set())
        served = any(entry.number == told.revision and entry.outcome is Outcome.SERVED for entry in history)
        others = answers - {self.errand.answer} if self.errand.answer else set()
        if others or not (answers or served):
            return [f"{self.told} revision {told.revision} of {told.name}, which answered {sorted(answers)}"]
        return []

    def _befall(self) -> None:
        since_s = time.monotonic() - self.began
        if self.blow is None or since_s < self.blow.moment_s:
            return
        if not self.blow.freeze_s:
            self.victim.kill()
        elif not self.frozen:
            self.frozen = self.victim.freeze()
        elif since_s > self.blow.moment_s + self.blow.freeze_s:
            self.victim.thaw()
