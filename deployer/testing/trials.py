"""One operation, one thing that befalls its deployer at one call, and what must hold afterwards."""

import re
import threading
from collections.abc import Callable
from dataclasses import dataclass

from deployer.engine_deployer import EngineModelDeployer
from deployer.errors import DeployerError, EngineError, EngineUnavailable
from deployer.gateway import NO_ROUTE
from deployer.records.names import platform_name
from deployer.testing.faults import At, Call, Death, Effects, Failure, Freeze, Lateness, befall
from deployer.testing.guard import Guard
from deployer.testing.harness import Harness
from deployer.testing.invariants import silences, violations
from deployer.testing.meanwhile import MEANWHILE, Meanwhile
from deployer.testing.operations import Operation, Stage
from deployer.testing.told import Account, AFault, Told, of_kind

LATE_S = 0.05
ENDS_WITHIN_S = 120.0
POLL_S = 0.002
SAYS_THAT_IT_SERVES = re.compile(r"Revision (\d+) serves")


def _passing() -> EngineUnavailable:
    """A new one each time: whoever raises it on adds what serves."""
    return EngineUnavailable("a test lets it fail once")


def _lasting() -> EngineError:
    return EngineError("a test lets it fail for good")


BEFALLINGS: dict[str, Callable[[At], AFault]] = {
    "fails once": lambda at: Failure(at, _passing()),
    "loses its answer once": lambda at: Failure(at, _passing(), after=True),
    "fails for good": lambda at: Failure(at, _lasting(), for_good=True),
    "loses its answers for good": lambda at: Failure(at, _lasting(), after=True, for_good=True),
    "is late": lambda at: Lateness(at, LATE_S),
    "dies before": Death,
    "dies after": lambda at: Death(at, after=True),
    "is frozen before": Freeze,
    "is frozen after": lambda at: Freeze(at, after=True),
}
"""What may befall a deployer at a call."""


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
        self._effects = Effects()
        self._guard = Guard(harness)
        self._guard.interrupted = [f"{name}{end}" for end in operation.interrupts]
        self._guard.look("what stood before")

    def with_reconcile(self, fault: AFault) -> Trial:
        """Let it befall a deployer, then reconcile."""
        told, wrong = self._befall(fault)
        frozen = isinstance(fault, Freeze) and fault.befell is not None
        wrong += [] if frozen else self._of_serving(told)
        wrong += [f"reconcile: {report.error}" for report in self._deployer().reconcile().failed]
        account = Account(
            operation=self._operation,
            fault=fault,
            told=told,
            ends=self._stage.ends(),
            meanwhile=self._meanwhile if frozen else None,
            effects=self._effects,
            seen=self._guard.traffic,
        )
        return Trial(fault.befell, told, (*wrong, *account.wrong(), *self._seen_wrong()))

    def with_another_try(self, fault: AFault) -> Trial:
        """Let it befall a deployer, then let another one do the same.

        What is left of other servers than the one deployed to is for reconcile.
        """
        told, wrong = self._befall(fault)
        wrong += [*of_kind(fault, told), *self._of_serving(told)]
        again = self._told(self._deployer())
        if self._operation.target:
            self._deployer().reconcile()
        if not again.is_end_of(self._operation):
            wrong.append(f"the next one was told {again}")
        if (ends := self._stage.ends()) != self._operation.ends[0]:
            wrong.append(f"the next one came to its end, and things stand as {ends}")
        return Trial(fault.befell, told, (*wrong, *self._seen_wrong()))

    def _deployer(self) -> EngineModelDeployer:
        return befall(self._harness.deployer(), self._guard)

    def _befall(self, fault: AFault) -> tuple[Told, list[str]]:
        victim = befall(befall(befall(self._harness.deployer(), self._effects), fault), self._guard)
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

    def _seen_wrong(self) -> list[str]:
        deployer = self._harness.deployer()
        return [*self._guard.seen, *violations(deployer), *silences(deployer), *self._harness.leftovers()]

    def _of_serving(self, told: Told) -> list[str]:
        """What it says of what serves, held against how things stand as it is told."""
        said = SAYS_THAT_IT_SERVES.match(getattr(told.raised, "serving", ""))
        server = platform_name(f"{self._stage.name}{self._operation.target}")
        route = self._harness.deployer().gateway.routes().get(server, NO_ROUTE)
        untrue = said and not route.address_of(int(said[1]))
        return [f"its caller was told {told.raised!r}, and the route is {route}"] if untrue else []
