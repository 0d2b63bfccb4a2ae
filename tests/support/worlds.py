"""Views made by hand, and a world in which every step does what it says."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from uuid import UUID

from deployer.config import ModelServerConfig, Probes
from deployer.engine import Ending, Health, Phase, Readiness, Wanted, Workload
from deployer.gateway import Backend, Route
from deployer.records.record import Record, SupersededServer
from deployer.rollout.steps import Action, Step
from deployer.rollout.view import Condition, Observed, ServerView

SERVER_UUID = UUID(int=1)
LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)
CONFIG = ModelServerConfig(model_uri="model", name="s", probes=Probes(startup_s=20, settle_s=1))
CONFIGS = {rollout: CONFIG.model_copy(update={"rollout": rollout}) for rollout in ("replace", "recreate")}
HEALTHS = {
    Condition.READY: Health.READY,
    Condition.SICK: Health.SICK,
    Condition.SILENT: Health.SILENT,
    Condition.UNREACHED: Health.UNREACHED,
}


def record(revision: int, supersedes: tuple[SupersededServer, ...] = (), rollout: str = "replace") -> Record:
    return Record(
        uuid=SERVER_UUID,
        name="s",
        revision=revision,
        token=f"token-{revision}",
        request_id=f"request-{revision}",
        origin=revision,
        config=CONFIGS[rollout],
        digest=f"digest-{revision}",
        model_type="",
        cause="deployed",
        created_at=LONG_AGO,
        server_created_at=LONG_AGO,
        supersedes=supersedes,
    )


def restarted_when_hung(o: Observed, after_s: float) -> Observed:
    """The same with a config that allows it so many seconds of silence."""
    probes = o.probes.model_copy(update={"restart_hung_s": after_s})
    config = o.workload.record.config.model_copy(update={"probes": probes})
    changed = o.workload.record.model_copy(update={"config": config})
    return replace(o, workload=replace(o.workload, record=changed))


RECORDS = {(number, rollout): record(number, rollout=rollout) for number in range(1, 6) for rollout in CONFIGS}


def observed(
    revision: int,
    condition: Condition,
    wanted: Wanted = Wanted.RUNNING,
    *,
    rollout: str = "replace",
    ready_s: float = 10,
    **fields: object,
) -> Observed:
    phases = {Condition.CREATED: Phase.CREATED, Condition.ENDED: Phase.ENDED}
    ending = Ending(exit_code=7, message="exit code 7", ago_s=100) if condition is Condition.ENDED else None
    workload = Workload(
        record=RECORDS[revision, rollout],
        wanted=wanted,
        cause="a test says so",
        phase=phases.get(condition, Phase.RUNNING),
        address=f"http://{revision}",
        age_s=5,
        starts=0 if condition is Condition.CREATED else 1,
        ending=ending,
    )
    workload = replace(workload, **fields)  # type: ignore[arg-type]
    health = HEALTHS.get(condition)
    return Observed(workload, Readiness(health) if health else None, ready_s if condition is Condition.READY else 0)


def routed_to(revision: int | None, high: int = 0, *, address: str | None = None) -> Route:
    if revision is None:
        return Route((), high, "tag" if high else "")
    return Route((Backend(revision, f"http://{revision}" if address is None else address),), max(high, revision), "tag")


@dataclass
class IdealWorld:
    """One server for which every step succeeds at once, and whatever runs and is asked is ready."""

    view: ServerView

    def carry_out(self, step: Step) -> None:
        ref = step.ref
        match step.action:
            case Action.START | Action.WAIT:
                self._change(ref, self._ready)
            case Action.NOTE_SILENCE:
                self._change(ref, lambda o: self._noted(o, 0.0))
            case Action.FORGET_SILENCE:
                self._change(ref, lambda o: self._noted(o, None))
            case Action.CLOSE:
                assert ref
                if self.view.may_burn(next(o for o in self.view.workloads if o.ref == ref)):
                    self._route(replace(self.view.route, high=max(self.view.route.high, ref.revision), tag="tag"))
                self._change(ref, lambda o: self._marked(o, Wanted.REFUSED))
            case Action.ROUTE:
                split = (step.backend,) if step.backend else ()
                high = max([self.view.route.high, *(backend.revision for backend in split)])
                self._route(Route(split, high, "tag"))
            case Action.STOP | Action.RETIRE | Action.KILL:
                self._change(ref, self._ended)
            case Action.DELETE:
                kept = tuple(o for o in self.view.workloads if o.ref != ref)
                self.view = replace(self.view, workloads=kept)
            case Action.UNROUTE:
                self._route(Route())
            case Action.REMOVE_SERVER:
                self.view = replace(self.view, elsewhere={})

    def _route(self, route: Route) -> None:
        self.view = replace(self.view, route=route)

    def _change(self, ref: object, change: object) -> None:
        assert callable(change)
        changed = tuple(change(o) if o.ref == ref else o for o in self.view.workloads)
        self.view = replace(self.view, workloads=changed)

    @staticmethod
    def _ready(o: Observed) -> Observed:
        mine = o.workload
        return observed(o.revision, Condition.READY, mine.wanted, record=mine.record, silent_s=mine.silent_s)

    @staticmethod
    def _ended(o: Observed) -> Observed:
        return observed(o.revision, Condition.ENDED, o.workload.wanted, record=o.workload.record)

    @staticmethod
    def _noted(o: Observed, silent_s: float | None) -> Observed:
        return replace(o, workload=replace(o.workload, silent_s=silent_s))

    @staticmethod
    def _marked(o: Observed, wanted: Wanted) -> Observed:
        return replace(o, workload=replace(o.workload, wanted=wanted))
