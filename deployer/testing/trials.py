"""One operation, one thing that befalls its deployer at one call, and what must hold afterwards."""

import threading
from collections.abc import Callable
from dataclasses import dataclass

from deployer.engine_deployer import EngineModelDeployer
from deployer.errors import (
    Conflict,
    DeployerError,
    EngineError,
    EngineUnavailable,
    RolloutError,
    ServerStopped,
    Superseded,
)
from deployer.server import ModelServer
from deployer.testing.faults import At, Call, Death, Failure, Freeze, Killed, Lateness, befall
from deployer.testing.guard import Guard
from deployer.testing.harness import Harness
from deployer.testing.invariants import violations
from deployer.testing.operations import End, Operation, Stage

LATE_S = 0.05
ENDS_WITHIN_S = 120.0
POLL_S = 0.002
OTHER = "other"
"""What another deployer deploys while the victim is frozen."""

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
    """Tries one operation on one platform, for a server whose name nobody has used there before."""

    def __init__(self, harness: Harness, operation: Operation, name: str = "churn") -> None:
        self._harness = harness
        self._operation = operation
        self._stage = Stage(harness, name)
        self._server = operation.prepare(self._stage)
        self._guard = Guard(harness, [f"{name}{end}" for end in operation.interrupts])
        self._guard.look("what stood before")

    def with_reconcile(self, fault: AFault) -> Trial:
        """Let it befall a deployer, then reconcile."""
        told, replaced = self._befall(fault)
        if failed := self._deployer().reconcile().failed:
            return self._trial(fault, told, replaced, [f"reconcile: {report.error}" for report in failed])
        return self._trial(fault, told, replaced, [])

    def with_another_try(self, fault: AFault) -> Trial:
        """Let it befall a deployer, then let another one do the same."""
        told, replaced = self._befall(fault)
        again = self._told(self._deployer())
        wrong = [] if again.is_end_of(self._operation) else [f"the next one was told {again}"]
        return self._trial(fault, told, replaced, wrong)

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
        """Another replaces; then it wakes."""
        told: list[Told] = []
        thread = threading.Thread(target=lambda: told.append(self._told(victim)), name="victim", daemon=True)
        thread.start()
        while thread.is_alive() and not freeze.frozen.wait(POLL_S):
            pass
        wrong = self._replace() if freeze.befell else []
        freeze.thaw()
        thread.join(ENDS_WITHIN_S)
        return (told[0], wrong) if told else (Told(), [*wrong, "it has not ended since it woke"])

    def _replace(self) -> list[str]:
        try:
            config = self._stage.config(OTHER)
            server = self._deployer().deploy_model(config, replace=True)
        except DeployerError as error:
            return [f"the one who replaced it was told {error!r}"]
        reply = self._harness.ask(server)
        return [] if reply.answer == OTHER else [f"the one who replaced it serves {reply}"]

    def _trial(self, fault: AFault, told: Told, replaced: list[str], recovered: list[str]) -> Trial:
        ends = self._stage.ends()
        frozen = isinstance(fault, Freeze) and fault.befell is not None
        wrong = [
            *replaced,
            *recovered,
            *self._guard.seen,
            *violations(self._harness.deployer()),
            *self._harness.leftovers(),
            *(_of_end(self._operation, ends, frozen)),
            *(_of_truth(self._operation, fault, told, ends)),
        ]
        return Trial(fault.befell, told, tuple(wrong))


def _of_end(operation: Operation, ends: End, frozen: bool) -> list[str]:
    allowed = list(operation.ends)
    if frozen:
        allowed.append({**operation.ends[0], operation.target: OTHER})
    return [] if ends in allowed else [f"things stand as {ends}, and may only as one of {allowed}"]


def _of_truth(operation: Operation, fault: AFault, told: Told, ends: End) -> list[str]:
    """What its caller was told, held against how things stand."""
    if isinstance(told.raised, Killed):
        return [] if isinstance(fault, Death) else ["it is dead, and nobody killed it"]
    if told.raised and (isinstance(told.raised, Conflict) or not isinstance(told.raised, DeployerError)):
        return [f"its caller was told {told.raised!r}"]
    if isinstance(fault, Freeze) and fault.befell:
        return _of_truth_after_a_freeze(operation, told, ends)
    if told.is_end_of(operation):
        return [] if ends == operation.ends[0] else [f"it told of its end, and things stand as {ends}"]
    if isinstance(fault, Lateness) or fault.befell is None:
        return [f"nothing failed, and its caller was told {told}"]
    never = isinstance(told.raised, RolloutError) and len(operation.ends) > 1
    return [f"its caller was told {told.raised!r}, and it serves"] if never and ends == operation.ends[0] else []


def _of_truth_after_a_freeze(operation: Operation, told: Told, ends: End) -> list[str]:
    stands = ends.get(operation.target)
    if isinstance(told.raised, (Superseded, ServerStopped)) and stands != OTHER:
        return [f"it was told {told.raised!r}, and things stand as {ends}"]
    if isinstance(told.returned, ModelServer) and stands is None:
        return [f"it was told of {told.returned}, and nothing stands"]
    return []
