"""One operation, one thing that befalls its deployer at one call, and what must hold afterwards."""

import threading
from collections.abc import Callable
from dataclasses import dataclass

from deployer.engine_deployer import EngineModelDeployer
from deployer.errors import Conflict, DeployerError, EngineError, EngineUnavailable, RolloutError
from deployer.testing.faults import At, Call, Death, Failure, Freeze, Killed, Lateness, befall
from deployer.testing.guard import Guard
from deployer.testing.harness import Harness
from deployer.testing.invariants import violations
from deployer.testing.meanwhile import MEANWHILE, Meanwhile
from deployer.testing.operations import End, Operation, Stage

LATE_S = 0.05
ENDS_WITHIN_S = 120.0
POLL_S = 0.002

AFault = Death | Freeze | Failure | Lateness
PASSING, LASTING = EngineUnavailable("a test lets it fail once"), EngineError("a test lets it fail for good")

BEFALLINGS: dict[str, Callable[[At], AFault]] = {
    "fails once": lambda at: Failure(at, PASSING),
    "loses its answer once": lambda at: Failure(at, PASSING, after=True),
    "fails for good": lambda at: Failure(at, LASTING, for_good=True),
    "loses its answers for good": lambda at: Failure(at, LASTING, after=True, for_good=True),
    "is late": lambda at: Lateness(at, LATE_S),
    "dies before": Death,
    "dies after": lambda at: Death(at, after=True),
    "is frozen before": Freeze,
    "is frozen after": lambda at: Freeze(at, after=True),
}
"""What may befall a deployer at a call."""


@dataclass(frozen=True)
class Told:
    """What a caller was told: what was returned, or raised."""

    returned: object = None
    raised: BaseException | None = None

    def is_end_of(self, operation: Operation) -> bool:
        """Whether it says that the operation came to its end."""
        return isinstance(self.raised, operation.raises) if operation.raises else self.raised is None


@dataclass(frozen=True)
class Trial:
    """How it went.

    Attributes:
        befell: the call at which it did; None where the operation makes no such call.
        told: what the victim's caller was.
        wrong: what should not have been, in words.
    """

    befell: Call | None
    told: Told
    wrong: tuple[str, ...]


class Trier:
    """Tries one operation on one platform.

    Args:
        name: of the server that it is about, which nobody has used there before.
        meanwhile: what another deployer does while the victim is frozen.
    """

    def __init__(
        self,
        harness: Harness,
        operation: Operation,
        name: str = "churn",
        meanwhile: Meanwhile = MEANWHILE["replaces"],
    ) -> None:
        self._harness = harness
        self._operation = operation
        self._meanwhile = meanwhile
        self._stage = Stage(harness, name)
        self._server = operation.prepare(self._stage)
        self._guard = Guard(harness)
        self._guard.interrupted = [f"{name}{end}" for end in operation.interrupts]
        self._guard.look("what stood before")

    def with_reconcile(self, fault: AFault) -> Trial:
        """Let it befall a deployer, then reconcile."""
        told, wrong = self._befall(fault)
        failed = self._deployer().reconcile().failed
        return self._trial(fault, told, [*wrong, *(f"reconcile: {report.error}" for report in failed)])

    def with_another_try(self, fault: AFault) -> Trial:
        """Let it befall a deployer, then let another one do the same.

        What is left of other servers than the one deployed to is for reconcile.
        """
        told, wrong = self._befall(fault)
        again = self._told(self._deployer())
        if self._operation.target:
            self._deployer().reconcile()
        unlike = [] if again.is_end_of(self._operation) else [f"the next one was told {again}"]
        return self._trial(fault, told, [*wrong, *unlike])

    def _deployer(self) -> EngineModelDeployer:
        return befall(self._harness.deployer(), self._guard)

    def _befall(self, fault: AFault) -> tuple[Told, list[str]]:
        victim = befall(befall(self._harness.deployer(), fault), self._guard)
        if isinstance(fault, Freeze):
            return self._while_frozen(victim, fault)
        return self._told(victim), []

    def _told(self, deployer: EngineModelDeployer) -> Told:
        try:
            return Told(self._operation.act(self._stage, deployer, self._server))
        except BaseException as error:
            return Told(raised=error)

    def _while_frozen(self, victim: EngineModelDeployer, freeze: Freeze) -> tuple[Told, list[str]]:
        """Another one acts; then it wakes."""
        told: list[Told] = []
        thread = threading.Thread(target=lambda: told.append(self._told(victim)), name="victim", daemon=True)
        thread.start()
        while thread.is_alive() and not freeze.frozen.wait(POLL_S):
            pass
        wrong = self._act_meanwhile() if freeze.befell else []
        freeze.thaw()
        thread.join(ENDS_WITHIN_S)
        return (told[0], wrong) if told else (Told(), [*wrong, "it has not ended since it woke"])

    def _act_meanwhile(self) -> list[str]:
        target = self._operation.target
        if self._meanwhile.interrupts:
            self._guard.interrupted = [*self._guard.interrupted, f"{self._stage.name}{target}"]
        try:
            return self._meanwhile.act(self._stage, self._deployer(), target)
        except DeployerError as error:
            return [f"the other one was told {error!r}"]

    def _trial(self, fault: AFault, told: Told, wrong: list[str]) -> Trial:
        ends, frozen = self._stage.ends(), isinstance(fault, Freeze) and fault.befell is not None
        wrong += [*self._guard.seen, *violations(self._harness.deployer()), *self._harness.leftovers()]
        meanwhile = self._meanwhile if frozen else None
        wrong += [
            *_of_ends(self._operation, ends, meanwhile),
            *_of_truth(self._operation, fault, told, ends, meanwhile),
        ]
        return Trial(fault.befell, told, tuple(wrong))


def _of_ends(operation: Operation, ends: End, meanwhile: Meanwhile | None) -> list[str]:
    allowed = [*operation.ends, *([meanwhile.end(operation)] if meanwhile else [])]
    return [] if ends in allowed else [f"things stand as {ends}, and may only as one of {allowed}"]


def _of_truth(operation: Operation, fault: AFault, told: Told, ends: End, meanwhile: Meanwhile | None) -> list[str]:
    """What its caller was told, held against how things stand."""
    if isinstance(told.raised, Killed):
        return [] if isinstance(fault, Death) else ["it is dead, and nobody killed it"]
    if told.raised and (isinstance(told.raised, Conflict) or not isinstance(told.raised, DeployerError)):
        return [f"its caller was told {told.raised!r}"]
    if meanwhile:
        overtaken = isinstance(told.raised, meanwhile.raises) and ends != meanwhile.end(operation)
        return [f"its caller was told {told.raised!r}, and things stand as {ends}"] if overtaken else []
    if told.is_end_of(operation):
        return [] if ends == operation.ends[0] else [f"it told of its end, and things stand as {ends}"]
    if isinstance(fault, Lateness) or fault.befell is None:
        return [f"nothing failed, and its caller was told {told}"]
    closed = isinstance(told.raised, RolloutError) and len(operation.ends) > 1
    return [f"its caller was told {told.raised!r}, and it serves"] if closed and ends == operation.ends[0] else []
