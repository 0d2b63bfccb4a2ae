"""What must hold of every server, by all that was asked of the deployers and all that befell them."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from math import inf
from uuid import UUID

from deployer.engine_deployer import EngineModelDeployer
from deployer.rollout.plan import GIVE_UP_AFTER_STARTS, LONGEST_BACK_OFF_S
from deployer.server import ModelServer, State
from deployer.testing.invariants import violations
from tests.stateful.actors import Attempt
from tests.stateful.clock import Clock
from tests.stateful.lookout import Lookout, Made
from tests.stateful.operations import Listed, Operation, Reconcile, Stop, Told

LATELY_S = 2 * LONGEST_BACK_OFF_S
RUNNING, STOPPED = "running", "stopped"
SHOWS = {State.READY: RUNNING, State.STOPPED: STOPPED}
"""What a server that has come to rest was wanted to be."""


@dataclass(eq=False)
class Case:
    """An operation under way, or whose effect is uncertain.

    Attributes:
        before: the servers listed when it began.
        marks_before: what was wanted of each then.
        runs, stops: the servers that it may make run; that it may stop or remove.
        meanwhile: the servers that others may have stopped or removed while it was under way.
        began: when, by the clock.
    """

    operation: Operation
    began: float
    before: Listed
    marks_before: dict[UUID, frozenset[str]]
    attempt: Attempt | None = None
    runs: set[UUID] = field(default_factory=set)
    stops: set[UUID] = field(default_factory=set)
    meanwhile: set[UUID] = field(default_factory=set)

    @property
    def over(self) -> bool:
        return self.attempt is not None and self.attempt.over


class Reckoning:
    """Keeps account of what is wanted of each server.

    Attributes:
        listed: the servers as an onlooker last saw them, the newest first.
        wrong: what did not hold.
    """

    def __init__(self, onlooker: EngineModelDeployer, lookout: Lookout, clock: Clock) -> None:
        self._clock = clock
        self._onlooker = onlooker
        self._lookout = lookout
        self._cases: list[Case] = []
        self._wanted: dict[UUID, frozenset[str]] = {}
        self._urls: dict[UUID, tuple[str, str]] = {}
        self.listed: Listed = ()
        self.wrong: list[str] = []

    def shaky(self, uuid: UUID) -> bool:
        """Whether the server may fall silent: somebody may be stopping or removing it."""
        return any(uuid in case.stops for case in self._cases) or self._recreating(uuid) or self._superseded(uuid)

    def begin(self, operation: Operation) -> Case:
        case = Case(operation, self._clock.monotonic(), self.listed, dict(self._wanted))
        self._cases.append(case)
        self.go_on(case)
        return case

    def go_on(self, case: Case) -> None:
        """Before it begins or goes on: what it may do now."""
        case.runs |= case.operation.runs(self.listed)
        case.stops |= case.operation.stops(self.listed)
        for other in self._cases:
            if other is not case:
                other.meanwhile |= case.stops
                case.meanwhile |= other.stops
        for made in (m for uuid in case.stops for m in self._lookout.of(uuid)):
            made.dropped = made.dropped or not made.routed
        self._reckon(case.runs | case.stops)

    def end(self, case: Case, attempt: Attempt) -> None:
        """Once it is over: what its caller was told must be true."""
        self.look()
        told = Told(attempt, self._lookout, case.before, self.listed, case.meanwhile)
        self.wrong += [f"{case.operation}: {text}" for text in case.operation.untrue(told)]
        if not attempt.disturbed and not (attempt.error and case.stops):
            self._settle(case, attempt)
            if isinstance(case.operation, Reconcile) and not attempt.error and not self._lookout.awaited():
                self._reconciled()

    def look(self) -> None:
        """What must hold at any time that no call is under way."""
        self._lookout.look("at rest")
        for case in self._cases:
            self._drop_what_it_may_close(case)
        self.listed = self._onlooker.find_model_server()
        for server in self.listed:
            self._wanted.setdefault(server.uuid, frozenset({RUNNING}))
            first = self._urls.setdefault(server.uuid, (server.name, server.url))
            if first != (server.name, server.url):
                self.wrong.append(f"{server.name} at {server.url} was {first}")
        names = [server.name for server in self.listed]
        if len(set(names)) != len(names):
            self.wrong.append(f"names are not unique: {names}")
        standing = {server.uuid for server in self.listed}
        for uuid in self._urls.keys() - standing:
            name, _ = self._urls.pop(uuid)
            self.wrong += [] if self.shaky(uuid) else [f"{name} is lost"]

    def _reconciled(self) -> None:
        """What must hold when somebody came to the end of a reconcile that nothing befell."""
        self.wrong += violations(self._onlooker)
        self.look()
        self._cases = [case for case in self._cases if not case.over]
        for server in self.listed:
            self.wrong += [f"reconciled: {server.name}: {text}" for text in self._untrue_of(server)]
            if server.state in SHOWS and not self._pending(server.uuid):
                self._wanted[server.uuid] = frozenset({SHOWS[server.state]})

    def time_passes(self) -> None:
        """So much that a budget may be over."""
        for made in (m for server in self.listed for m in self._lookout.of(server.uuid)):
            made.dropped = made.dropped or not made.routed

    def _drop_what_it_may_close(self, case: Case) -> None:
        """A deployer closes what it made when it fails or runs out of time; it may die or stand still in that."""
        attempt, waited_s = case.attempt, self._clock.monotonic() - case.began
        failed = attempt and (attempt.failed or (attempt.error and not attempt.killed))
        if attempt and (failed or waited_s > case.operation.patience_s / 2):
            for made in self._lookout.by(attempt):
                made.dropped = made.dropped or not made.routed

    def _recreating(self, uuid: UUID) -> bool:
        """Whether what serves makes room for a revision on its way."""
        made = [m for m in self._lookout.of(uuid) if m.record.config.rollout == "recreate"]
        return any(not m.routed and not self._lookout.is_closed(m) for m in made)

    def _superseded(self, uuid: UUID) -> bool:
        """Whether a revision of another server takes its place, if it still stands where it stood then."""
        routed = self._lookout.routed(uuid)
        return any(routed is None or routed.revision <= revision for revision in self._lookout.superseded(uuid))

    def _reckon(self, uuids: set[UUID]) -> None:
        """Whatever is under way may yet have its way."""
        for uuid in uuids:
            self._wanted[uuid] = self._wanted.get(uuid, frozenset()) | self._pending(uuid)

    def _pending(self, uuid: UUID) -> frozenset[str]:
        under_way = [case for case in self._cases if not case.over]
        runs = {RUNNING for case in under_way if uuid in case.runs}
        return frozenset(runs | {STOPPED for case in under_way if uuid in case.stops})

    def _settle(self, case: Case, attempt: Attempt) -> None:
        """Nothing befell it: its effect is certain."""
        self._cases.remove(case)
        if not attempt.error:
            for uuid in case.stops if isinstance(case.operation, Stop) else ():
                self._wanted[uuid] = frozenset({STOPPED})
            for uuid in case.runs if case.operation.patience_s < inf else ():
                self._wanted[uuid] = frozenset({RUNNING})
        elif attempt.created:
            self._wanted |= {uuid: case.marks_before[uuid] for uuid in case.runs}
        self._reckon(case.runs | case.stops)

    def _untrue_of(self, server: ModelServer) -> Iterator[str]:
        """Of a server after a reconcile."""
        wanted, stopped = self._wanted[server.uuid], server.state is State.STOPPED
        if stopped and STOPPED not in wanted:
            yield "nobody stopped it, and it is stopped"
        if wanted == {STOPPED} and server.state not in (State.STOPPED, State.FAILED):
            yield f"it was stopped, and is {server.state}"
        if wanted == {RUNNING}:
            yield from self._untrue_of_running(server)

    def _may_rest(self, made: Made) -> bool:
        """Whether it died so often that it is brought back later, or not at all."""
        workload = next(w for w in self._onlooker.engine.list(made.ref.server) if w.ref == made.ref)
        lately = workload.ending is not None and workload.ending.ago_s < LATELY_S
        return workload.starts >= GIVE_UP_AFTER_STARTS or (lately and workload.starts > 1)

    def _untrue_of_running(self, server: ModelServer) -> Iterator[str]:
        made, named = self._lookout.of(server.uuid), self._lookout.named(server.uuid)
        if made[-1].good and not made[-1].dropped and not made[-1].harmed and named is not made[-1]:
            yield f"{made[-1]} should serve, and {named} does: {server.message}"
        if named is None:
            if any(m.routed and m.good and not m.harmed for m in made):
                yield f"{[str(m) for m in made if m.routed]} served, and nothing does: {server.state} {server.message}"
        elif named.good and server.state not in (State.READY, State.UNKNOWN) and not self._may_rest(named):
            yield f"{named} should answer, and the server is {server.state}: {server.message}"
        elif named.good and server.state is State.UNKNOWN and not named.harmed:
            yield f"{named} is well, and the server {server.state}: {server.message}"
