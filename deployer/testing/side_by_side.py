"""Deployers in processes of their own, each about servers of its own, struck side by side while requests come."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from signal import SIGKILL, SIGSTOP

from deployer.engine_deployer import EngineModelDeployer
from deployer.server import ModelServer, State
from deployer.testing.faults import Call
from deployer.testing.hammer import Hammer
from deployer.testing.harness import Harness
from deployer.testing.invariants import violations
from deployer.testing.operations import Act, End, Operation, Stage, calls_of
from deployer.testing.victims import Strike, Victim

AT_ONCE, THREADS = 9, 4
ABOUT_ALL = ("reconcile",)
"""Operations that are about all servers there are: only one can be tried at a time."""
REST_S = 0.2
BYSTANDER = "bystander"
CHANGES_NO_SERVER = ("store.add", "gateway.ensure", "engine.sweep", "store.collect")
AS_IN_A_REPLACE = {
    "replace of several equivalents": ("engine.start", "gateway.acknowledge", "engine.stop", "engine.delete"),
}
"""Calls of an operation that come before those which it alone makes."""


@dataclass(frozen=True)
class Points:
    """Where the deployer of one operation can be struck: at the first change of each kind that it makes to a server.

    Attributes:
        calls: that change something, as the operation makes them where nothing befalls it.
        changes: the names of those at which it is struck, in their order.
        tries: how often each is tried.
    """

    operation: Operation
    calls: tuple[Call, ...]
    changes: tuple[str, ...]
    tries: int

    @classmethod
    def of(cls, harness: Harness, operation: Operation) -> "Points":
        calls = tuple(call for call in calls_of(harness, operation, "unharmed") if call.changes)
        _delete(harness, harness.deployer().find_model_server())
        left_out = (*CHANGES_NO_SERVER, *AS_IN_A_REPLACE.get(operation.name, ()))
        names = dict.fromkeys(call.name for call in calls)
        return cls(operation, calls, tuple(name for name in names if name not in left_out), harness.tries)

    def kills(self) -> Iterator[list[Strike]]:
        """One before the first change and after each: what is left then is the same until the next one.

        Each as often as it is tried; so many together as can be tried at once.
        """
        before_all = Strike(SIGKILL, self.changes[0])
        return self._together([before_all, *(Strike(SIGKILL, call, after=True) for call in self.changes)], self.tries)

    def freezes(self, tries: int | None = None) -> Iterator[list[Strike]]:
        """Before each: what wakes there acts on what it saw long ago."""
        return self._together([Strike(SIGSTOP, call) for call in self.changes], tries or self.tries)

    def passed(self, call: str, strike: Strike) -> bool:
        """Whether such a call was made when the strike fell."""
        return call in {made.name for made in self._made(strike)}

    def end(self, strike: Strike) -> End:
        """To which the server comes by a reconcile, though the deployer is dead."""
        return self.operation.end_after(self._made(strike))

    def _made(self, strike: Strike) -> Sequence[Call]:
        first = next(number for number, call in enumerate(self.calls) if call.name == strike.call)
        return self.calls[: first + strike.after]

    def _together(self, points: Sequence[Strike], tries: int) -> Iterator[list[Strike]]:
        strikes = [replace(strike) for strike in points for _ in range(tries)]
        at_once = 1 if self.operation.name in ABOUT_ALL else AT_ONCE
        return (strikes[first : first + at_once] for first in range(0, len(strikes), at_once))


@dataclass(frozen=True)
class Case:
    """One deployer that is struck."""

    operation: Operation
    stage: Stage
    strike: Strike
    victim: Victim


@contextmanager
def side_by_side(harness: Harness, operation: Operation, strikes: Sequence[Strike]) -> Iterator[list[Case]]:
    """Each strikes one deployer about the operation; once the context closes no request has failed, nothing is left."""
    stages = [Stage(harness, f"at-{number}") for number in range(len(strikes))]
    with ThreadPoolExecutor(THREADS) as pool:
        servers = list(pool.map(operation.prepare, stages))
    with ExitStack() as stack:
        hammers = [stack.enter_context(hammer) for hammer in _hammers(harness, operation, stages)]
        for hammer in hammers:
            hammer.rest_s = REST_S
        cases = [
            Case(operation, stage, strike, stack.enter_context(_victim(operation, stage, server, strike)))
            for stage, strike, server in zip(stages, strikes, servers, strict=True)
        ]
        yield cases
    assert [hammer.failed for hammer in hammers if hammer.failed] == [], operation.name
    assert all(hammer.sent for hammer in hammers)
    assert violations(harness.deployer()) == []
    assert harness.leftovers() == []
    _delete(harness, [server for server in harness.deployer().find_model_server() if server.name != BYSTANDER])


def _hammers(
    harness: Harness, operation: Operation, stages: Sequence[Stage]
) -> Iterator[AbstractContextManager[Hammer]]:
    """For each server that may not fall silent, and for one that nobody does anything to."""
    Stage(harness, BYSTANDER).deploy("v0")
    silenced = {stage.name + end for stage in stages for end in operation.interrupts}
    for server in harness.deployer().find_model_server():
        if server.state is State.READY and server.name not in silenced:
            yield harness.hammer(server)


def _victim(operation: Operation, stage: Stage, server: ModelServer | None, strike: Strike) -> Victim:
    return Victim(stage.harness, partial(_act, operation.act, stage, server), strike)


def _act(act: Act, stage: Stage, server: ModelServer | None, deployer: EngineModelDeployer) -> object:
    return act(stage, deployer, server)


def _delete(harness: Harness, servers: Sequence[ModelServer]) -> None:
    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(lambda server: harness.deployer().delete_model_server(server.uuid, force=True), servers))
