"""What a deployer may be asked to do, whom that may silence, and what is untrue of what its caller is told.

Each is judged by what was seen: of an attempt that nothing befell everything must be as it says; after any other
at least what it says of its own revision.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import inf
from typing import Protocol
from uuid import UUID

from deployer.config import ModelServerConfig
from deployer.engine_deployer import EngineModelDeployer
from deployer.errors import (
    LifecycleTimeout,
    NothingToRollBackTo,
    RevisionRefused,
    RolloutTimeout,
    ServerAlreadyExists,
    ServerNotFound,
    ServerStopped,
    Superseded,
)
from deployer.rollout.reconcile import Report
from deployer.server import ModelServer, State
from tests.stateful.actors import Attempt
from tests.stateful.lookout import Lookout, Made

PATIENT_S = 100
Listed = Sequence[ModelServer]


class Operation(Protocol):
    """One thing to ask of a deployer.

    Attributes:
        patience_s: how long it waits until what it makes run serves; for ever where it does not wait for that.
    """

    @property
    def patience_s(self) -> float: ...

    def carry_out(self, deployer: EngineModelDeployer) -> ModelServer | Report | None: ...

    def runs(self, listed: Listed) -> set[UUID]:
        """The servers that it may make run."""
        ...

    def stops(self, listed: Listed) -> set[UUID]:
        """The servers that it may stop or remove."""
        ...

    def untrue(self, told: "Told") -> Iterator[str]:
        """What does not hold of what was told."""
        ...


@dataclass(frozen=True)
class Told:
    """What a caller was told, and by what it can be judged.

    Attributes:
        before: the servers listed when it began.
        now: those listed when it was told.
        stopped: the servers that somebody may have stopped or removed meanwhile.
    """

    attempt: Attempt
    lookout: Lookout
    before: Listed
    now: Listed
    stopped: set[UUID]

    def server(self, uuid: UUID) -> ModelServer | None:
        return next((server for server in self.now if server.uuid == uuid), None)

    def stood(self, uuid: UUID) -> bool:
        return any(server.uuid == uuid for server in self.before)


@dataclass(frozen=True)
class Deploy:
    config: ModelServerConfig
    answer: str
    good: bool
    replace: bool
    timeout: int

    @property
    def patience_s(self) -> float:
        return self.timeout or inf

    def carry_out(self, deployer: EngineModelDeployer) -> ModelServer:
        return deployer.deploy_model(self.config, self.replace, self.timeout)

    def runs(self, listed: Listed) -> set[UUID]:
        return {server.uuid for server in self._equivalents(listed)[:1]}

    def stops(self, listed: Listed) -> set[UUID]:
        return {server.uuid for server in self._equivalents(listed)[1:]}

    def untrue(self, told: Told) -> Iterator[str]:
        attempt = told.attempt
        match attempt.error:
            case None:
                yield from _untrue_of_server(told, attempt.result, self.answer if self.timeout else None)
                if not attempt.disturbed and len(self._equivalents(told.now)) > 1 and self.timeout and self.replace:
                    yield "several equivalent servers are left"
            case ServerAlreadyExists():
                if self.replace or not self.config.name:
                    yield "no name was taken"
            case error:
                yield from _untrue_of_failure(told, error, self.good and self.timeout in (0, PATIENT_S))

    def _equivalents(self, listed: Listed) -> list[ModelServer]:
        """The newest first."""
        if not self.replace:
            return []
        if self.config.name:
            return [server for server in listed if server.name == self.config.name]
        return [server for server in listed if not server.config.name]


@dataclass(frozen=True)
class Rollback:
    uuid: UUID

    @property
    def patience_s(self) -> float:
        return PATIENT_S

    def carry_out(self, deployer: EngineModelDeployer) -> ModelServer:
        return deployer.rollback(self.uuid)

    def runs(self, listed: Listed) -> set[UUID]:
        return {self.uuid}

    def stops(self, listed: Listed) -> set[UUID]:
        return set()

    def untrue(self, told: Told) -> Iterator[str]:
        attempt = told.attempt
        match attempt.error:
            case None:
                yield from _untrue_of_server(told, attempt.result, _origin(told, attempt.result).answer)
                if not attempt.disturbed:
                    yield from self._untrue_of_origin(told, _origin(told, attempt.result))
            case ServerNotFound():
                yield from _untrue_of_absence(told, self.uuid)
            case NothingToRollBackTo():
                if not attempt.disturbed:
                    yield from self._untrue_of_origin(told, None)
            case error:
                yield from _untrue_of_failure(told, error, patient_and_good=False)

    def _untrue_of_origin(self, told: Told, chosen: Made | None) -> Iterator[str]:
        """A revision that served only since its successor was asked for need not be known to have served."""
        present = next(server for server in told.before if server.uuid == self.uuid)
        made = {made.revision: made for made in told.lookout.of(self.uuid)}
        served = [m for m in made.values() if m.routed_at and m.revision < made[present.revision].record.origin]
        later = {m: [n.asked for n in made.values() if n.revision > m.revision] for m in served}
        known = [m for m in served if m.routed_at and m.routed_at < min(later[m])]
        allowed = [m.record.origin for m in served if not known or m.revision >= known[-1].revision]
        if chosen.revision not in allowed if chosen else known:
            yield f"rolled back to {chosen}, where {served} served before, of which {known} are known"


@dataclass(frozen=True)
class Stop:
    uuid: UUID
    force: bool

    @property
    def patience_s(self) -> float:
        return inf

    def carry_out(self, deployer: EngineModelDeployer) -> None:
        deployer.stop_model_server(self.uuid, force=self.force)

    def runs(self, listed: Listed) -> set[UUID]:
        return set()

    def stops(self, listed: Listed) -> set[UUID]:
        return {self.uuid}

    def untrue(self, told: Told) -> Iterator[str]:
        attempt, server = told.attempt, told.server(self.uuid)
        match attempt.error:
            case None:
                if not attempt.others_moved:
                    yield from (f"{made} runs" for made in told.lookout.running() if made.uuid == self.uuid)
                    if server is None or server.state not in (State.STOPPED, State.FAILED):
                        yield f"stopped, and is {server and server.state}"
            case ServerNotFound():
                yield from _untrue_of_absence(told, self.uuid)
            case LifecycleTimeout() if _ran_out_of_time(told, self.uuid):
                return
            case error:
                yield from _unexpected(told, error)


@dataclass(frozen=True)
class Start:
    uuid: UUID
    timeout: int

    @property
    def patience_s(self) -> float:
        return self.timeout or inf

    def carry_out(self, deployer: EngineModelDeployer) -> None:
        deployer.start_model_server(self.uuid, self.timeout)

    def runs(self, listed: Listed) -> set[UUID]:
        return {self.uuid}

    def stops(self, listed: Listed) -> set[UUID]:
        return set()

    def untrue(self, told: Told) -> Iterator[str]:
        attempt, server = told.attempt, told.server(self.uuid)
        match attempt.error:
            case None:
                routed = told.lookout.routed(self.uuid)
                ready = server is not None and server.state is State.READY
                if not attempt.others_moved and self.timeout and not ready and (routed is None or routed.good):
                    yield f"started, and is {server}"
            case ServerNotFound():
                yield from _untrue_of_absence(told, self.uuid)
            case error:
                yield from _untrue_of_failure(told, error, patient_and_good=False)


@dataclass(frozen=True)
class Delete:
    uuid: UUID
    force: bool

    @property
    def patience_s(self) -> float:
        return inf

    def carry_out(self, deployer: EngineModelDeployer) -> None:
        deployer.delete_model_server(self.uuid, force=self.force)

    def runs(self, listed: Listed) -> set[UUID]:
        return set()

    def stops(self, listed: Listed) -> set[UUID]:
        return {self.uuid}

    def untrue(self, told: Told) -> Iterator[str]:
        match told.attempt.error:
            case None:
                if not told.attempt.others_moved and told.server(self.uuid):
                    yield "deleted, and stands"
            case ServerNotFound() if not self.force:
                yield from _untrue_of_absence(told, self.uuid)
            case LifecycleTimeout() if _ran_out_of_time(told, self.uuid):
                return
            case error:
                yield from _unexpected(told, error)


@dataclass(frozen=True)
class Reconcile:
    @property
    def patience_s(self) -> float:
        return inf

    def carry_out(self, deployer: EngineModelDeployer) -> Report:
        return deployer.reconcile(PATIENT_S)

    def runs(self, listed: Listed) -> set[UUID]:
        return set()

    def stops(self, listed: Listed) -> set[UUID]:
        return set()

    def untrue(self, told: Told) -> Iterator[str]:
        attempt = told.attempt
        if attempt.error:
            yield from _unexpected(told, attempt.error)
        elif not attempt.others_moved:
            yield from (f"{report.name}: {report.error}" for report in attempt.result.failed if not attempt.failed)
            excused = attempt.late or told.lookout.awaited()
            pending = [report for report in attempt.result.servers if report.pending and not excused]
            yield from (f"{report.name} awaits: {report.pending}" for report in pending)


def _origin(told: Told, server: ModelServer) -> Made:
    """The revision that a rolled back one serves again."""
    made = {made.revision: made for made in told.lookout.of(server.uuid)}
    return made[made[server.revision].record.origin]


def _untrue_of_server(told: Told, server: ModelServer, answer: str | None) -> Iterator[str]:
    """Of a server that was returned; `answer` is None where nobody waited for it."""
    made = [m for m in told.lookout.of(server.uuid) if m.revision == server.revision]
    if answer is None:
        return
    if not any(m.routed and m.answer == answer for m in made):
        yield f"{server.name} was told to serve {answer} as revision {server.revision}, and never did"
    if not told.attempt.disturbed and server.state is not State.READY and any(m.good for m in made):
        yield f"deployed, and is {server.state}: {server.message}"
    if not told.attempt.disturbed and told.lookout.routed(server.uuid) not in made:
        yield f"deployed, and the route names {told.lookout.routed(server.uuid)}"


def _untrue_of_failure(told: Told, error: BaseException, patient_and_good: bool) -> Iterator[str]:
    """Of a rollout's end that was raised."""
    own = told.lookout.by(told.attempt)
    match error:
        case RolloutTimeout() if not own:
            return
        case RevisionRefused():
            if patient_and_good and own and not told.attempt.disturbed:
                yield "a good revision was refused"
            yield from (f"refused, and may still serve: {m}" for m in own if not m.routed and not _closed(told, m))
        case Superseded() | ServerStopped() if told.attempt.disturbed:
            resting = [m for m in own if told.lookout.is_stopped(m)] if isinstance(error, ServerStopped) else []
            open_ = [m for m in own if m not in resting and not m.routed and not _closed(told, m)]
            yield from (f"overtaken, and may still serve: {m}" for m in open_)
            yield from (f"told {error!r}: {m}" for m in own[-1:] if not _overtaken(told, error, m))
        case _:
            yield from _unexpected(told, error)


def _overtaken(told: Told, error: BaseException, made: Made) -> bool:
    if made.uuid in told.stopped:
        return True
    return isinstance(error, Superseded) and any(m.revision > made.revision for m in told.lookout.of(made.uuid))


def _closed(told: Told, made: Made) -> bool:
    """Whether it is; what its caller was told is held against it from now on."""
    if told.lookout.is_closed(made):
        made.closed = made.closed or "its caller was told so"
        return True
    return False


def _ran_out_of_time(told: Told, uuid: UUID) -> bool:
    """Whether its deployer stood still, or its calls were late, and the server is there as the error says."""
    return (told.attempt.others_moved or told.attempt.late) and told.server(uuid) is not None


def _untrue_of_absence(told: Told, uuid: UUID) -> Iterator[str]:
    if told.stood(uuid) and not told.attempt.disturbed:
        yield "it was not found, and stood there"


def _unexpected(told: Told, error: BaseException) -> Iterator[str]:
    """What no operation ends with unless a test let it."""
    if not told.attempt.let(error):
        yield f"its caller was told {error!r}"
