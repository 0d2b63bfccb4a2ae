"""One model server as it was observed: plain data, and what follows from it alone."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import cached_property
from uuid import UUID

from deployer.config import Drain, Probes
from deployer.engine import Health, Phase, Readiness, Ref, Wanted, Workload
from deployer.gateway import Backend, Route

USUAL_PROBES, USUAL_DRAIN = Probes(), Drain()


class Condition(StrEnum):
    """What a workload was seen to be, its own answer included; `running` where it was not asked."""

    CREATED = "created"
    RUNNING = "running"
    UNREACHED = "unreached"
    SILENT = "silent"
    SICK = "sick"
    READY = "ready"
    ENDED = "ended"


@dataclass(frozen=True)
class Observed:
    """A workload, its answer to the health check, and for how many seconds this observer has seen it ready."""

    workload: Workload
    readiness: Readiness | None = None
    ready_s: float = 0

    @property
    def condition(self) -> Condition:
        if self.workload.phase is Phase.RUNNING:
            return Condition(self.readiness.health) if self.readiness else Condition.RUNNING
        return Condition(self.workload.phase)

    @property
    def revision(self) -> int:
        return self.workload.record.revision

    @property
    def ref(self) -> Ref:
        return self.workload.ref

    @property
    def refused(self) -> bool:
        return self.workload.wanted is Wanted.REFUSED

    @property
    def runs(self) -> bool:
        return self.workload.phase is Phase.RUNNING

    @property
    def ready(self) -> bool:
        return self.runs and self.readiness is not None and self.readiness.health is Health.READY

    @property
    def answers(self) -> bool:
        """Whether it answered its health check, be it that it is sick."""
        return self.condition in (Condition.READY, Condition.SICK)

    @property
    def probes(self) -> Probes:
        return self.workload.record.config.probes or USUAL_PROBES

    @property
    def drain(self) -> Drain:
        return self.workload.record.config.drain or USUAL_DRAIN

    @property
    def runs_alone(self) -> bool:
        """Whether nothing else of its server may run while it is rolled out."""
        return self.workload.record.config.rollout == "recreate"

    @property
    def backend(self) -> Backend:
        """What the route says while it serves."""
        record = self.workload.record
        return Backend(self.revision, self.workload.address, self.workload.stamps_revision, access=record.access)

    @property
    def outlived_its_start(self) -> bool:
        """Whether its last run was longer than the time it has to become ready: then it was ready once."""
        ending = self.workload.ending
        return ending is not None and self.workload.age_s - ending.ago_s > self.probes.startup_s

    @property
    def why_closed(self) -> str:
        """Why its number was burnt, as far as anybody wrote it down."""
        return self.workload.cause if self.refused else self.answer or "whoever closed it did not come to say why"

    @property
    def answer(self) -> str:
        """What it said to its health check, or how it ended, in words."""
        if self.workload.ending:
            return self.workload.ending.message
        return self.readiness.message if self.readiness else ""


@dataclass(frozen=True)
class ServerView:
    """The route and the workloads of one server; workloads by rising revision.

    Attributes:
        server: platform name.
        elsewhere: the revision at which each server stands; empty where it was not asked for.
        unreadable: whether its route leads to something that cannot be read: then nothing of it is touched.
    """

    server: str
    route: Route
    workloads: tuple[Observed, ...]
    elsewhere: Mapping[UUID, int] = field(default_factory=dict)
    unreadable: bool = False

    def serves(self, observed: Observed) -> bool:
        return self.route.names(observed.revision)

    @cached_property
    def uuid(self) -> UUID | None:
        """The server's: that of what the route names, else of the lowest revision."""
        candidates = self.serving or self.workloads
        return candidates[0].workload.record.uuid if candidates else None

    def owns(self, observed: Observed) -> bool:
        """Whether it is a revision of this server: not of one that had the name before, and was deleted meanwhile."""
        return observed.workload.record.uuid == self.uuid

    def is_open(self, observed: Observed) -> bool:
        """Whether it takes traffic, or may still come to."""
        if observed.refused or not self.owns(observed):
            return False
        return self.serves(observed) or observed.revision > self.route.high

    def may_burn(self, observed: Observed) -> bool:
        """Whether its number may be burnt: without a route, a lower open revision may be the one that served."""
        return bool(self.route.split) or not any(o.revision < observed.revision for o in self.open)

    @cached_property
    def own(self) -> tuple[Observed, ...]:
        return tuple(filter(self.owns, self.workloads))

    @cached_property
    def open(self) -> tuple[Observed, ...]:
        return tuple(filter(self.is_open, self.workloads))

    @cached_property
    def closed(self) -> tuple[Observed, ...]:
        """Those that may never take traffic again."""
        return tuple(o for o in self.workloads if not self.serves(o) and o.revision <= self.route.high)

    @cached_property
    def serving(self) -> tuple[Observed, ...]:
        return tuple(filter(self.serves, self.workloads))

    @cached_property
    def target(self) -> Observed | None:
        """The highest revision that is not closed: what the server shall be."""
        return self.open[-1] if self.open else None

    @cached_property
    def stopped(self) -> bool:
        """Whether its user stopped it: the mark of the highest open revision is the server's."""
        return self.target is not None and self.target.workload.wanted is Wanted.STOPPED

    @property
    def makes_room(self) -> bool:
        """Whether all else of it is held stopped for its target, whose rollout is `recreate`."""
        target = self.target
        return target is not None and target.runs_alone and not self.serves(target) and not self.stopped

    @property
    def leads_nowhere(self) -> bool:
        """Whether it has a route, and no workload or not the one that the route names."""
        return bool(self.route.tag) and (not self.workloads or len(self.serving) < len(self.route.split))

    @cached_property
    def speaking(self) -> Observed | None:
        """What a caller is told of: what the route names, else the highest open, else the highest."""
        candidates = self.serving or self.open or self.own
        return candidates[-1] if candidates else None

    @property
    def name(self) -> str:
        """The server's own, its platform name where none is known."""
        return self.speaking.workload.record.name if self.speaking else self.server

    def reaches(self, observed: Observed) -> bool:
        """Whether its URL leads to it, and it is ready."""
        return observed.ready and self.route.address_of(observed.revision) == observed.workload.address

    @property
    def highest_number(self) -> int:
        """The highest revision number ever seen."""
        remembered = (e.number for o in self.workloads for e in o.workload.record.history)
        return max([self.route.high, *(o.revision for o in self.workloads), *remembered])

    def made_for(self, request_id: str) -> Observed | None:
        """The highest open revision that this request made, or an earlier try of it."""
        return next((o for o in reversed(self.open) if o.workload.record.request_id == request_id), None)

    def routed_to(self, backend: Backend) -> "ServerView":
        """The same once that backend has all the traffic."""
        return replace(self, route=Route((backend,), max(self.route.high, backend.revision), self.route.tag))

    def with_token(self, token: str) -> Observed | None:
        return next((o for o in self.workloads if o.workload.record.token == token), None)


def to_probe(view: ServerView) -> tuple[Observed, ...]:
    """Those whose answer can matter: they run, may take traffic, and their user has not stopped them."""
    return () if view.stopped else tuple(o for o in view.open if o.runs)
