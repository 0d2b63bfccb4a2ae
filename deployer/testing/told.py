"""What a caller was told of one operation, held against what was seen of it; each lie is a sentence."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from deployer.errors import Conflict, DeployerError, RolloutError, Superseded
from deployer.records.names import platform_name
from deployer.server import ModelServer
from deployer.testing.faults import Death, Effects, Failure, Freeze, Killed, Lateness
from deployer.testing.guard import Traffic
from deployer.testing.meanwhile import Meanwhile
from deployer.testing.operations import End, Operation

AFault = Death | Freeze | Failure | Lateness


@dataclass(frozen=True)
class Told:
    """What a caller was told: what was returned, or raised."""

    returned: object = None
    raised: BaseException | None = None

    @property
    def killed(self) -> bool:
        return isinstance(self.raised, Killed)

    def is_end_of(self, operation: Operation) -> bool:
        """Whether it says that the operation came to its end."""
        return isinstance(self.raised, operation.raises) if operation.raises else self.raised is None


@dataclass(frozen=True, kw_only=True)
class Account:
    """One operation whose deployer something befell, or was to.

    Attributes:
        meanwhile: what another deployer did while this one was frozen; None where it never was.
        effects: its calls that took effect.
        seen: what took requests meanwhile.
        ends: how things stand, once a reconcile has followed.
    """

    operation: Operation
    fault: AFault
    told: Told
    ends: End
    meanwhile: Meanwhile | None = None
    effects: Effects = field(default_factory=Effects)
    seen: Traffic = field(default_factory=Traffic)

    def wrong(self) -> list[str]:
        """What should not be."""
        return [*self._of_ends(), *of_kind(self.fault, self.told), *self._of_truth()]

    def _of_ends(self) -> Iterator[str]:
        if self.ends not in (allowed := self._allowed()):
            yield f"things stand as {self.ends}, and may only as one of {allowed}"

    def _allowed(self) -> list[End]:
        if self.told.killed:
            return [self.operation.end_after(self.effects.calls)]
        if self.meanwhile:
            return [self.operation.ends[0], self.meanwhile.end(self.operation), *self.operation.after_another]
        return [*self.operation.ends] if isinstance(self.fault, Failure) else [self.operation.ends[0]]

    def _of_truth(self) -> Iterator[str]:
        if self.told.killed:
            return
        if self.meanwhile:
            yield from self._of_frozen(self.meanwhile)
        elif self.told.is_end_of(self.operation):
            if self.ends != self.operation.ends[0]:
                yield f"it told of its end, and things stand as {self.ends}"
        elif not isinstance(self.fault, Failure) or self.fault.befell is None:
            yield f"nothing failed, and its caller was told {self.told}"
        elif isinstance(self.told.raised, RolloutError) and self._serves_all_the_same():
            yield f"its caller was told {self.told.raised!r}, and it serves"

    def _serves_all_the_same(self) -> bool:
        return len(self.operation.ends) > 1 and self.ends == self.operation.ends[0]

    def _of_frozen(self, meanwhile: Meanwhile) -> Iterator[str]:
        raised, returned = self.told.raised, self.told.returned
        if raised and not isinstance(raised, (*self.operation.raises, *meanwhile.raises)):
            yield f"another one {meanwhile.name}, and its caller was told {raised!r}"
        if meanwhile.helps and not self.told.is_end_of(self.operation):
            yield f"another one only {meanwhile.name}, and its caller was told {self.told}"
        if isinstance(raised, meanwhile.raises) and self.ends != meanwhile.end(self.operation):
            yield f"its caller was told {raised!r}, and things stand as {self.ends}"
        if isinstance(raised, Superseded) and self.operation.target in self.ends:
            served = [r for r in self.effects.created if r.revision in self.seen.unrivalled[r.server]]
            yield from (f"its caller was told {raised!r}, and revision {r.revision} had served" for r in served)
        if isinstance(returned, ModelServer) and not self._has_served(returned):
            yield f"its caller was told that revision {returned.revision} served, and it never did"

    def _has_served(self, server: ModelServer) -> bool:
        return server.revision in self.seen.served[platform_name(server.name)]


def of_kind(fault: AFault, told: Told) -> Iterator[str]:
    """Whether that is what a caller may be told at all: an end of ours, or what befell the deployer."""
    raised = told.raised
    if told.killed and not isinstance(fault, Death):
        yield "it is dead, and nobody killed it"
    if raised is None or told.killed or isinstance(raised, RolloutError):
        return
    if isinstance(raised, Conflict) or not isinstance(raised, DeployerError):
        yield f"its caller was told {raised!r}"
    elif isinstance(fault, Failure) and fault.error.args[0] not in str(raised):
        yield f"a call failed with {fault.error!r}, and its caller was told {raised!r}"
