"""From what is observed to what a caller is told; the filters."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from deployer.config import Provenance
from deployer.errors import UnknownName
from deployer.records.record import Outcome, Record
from deployer.rollout.plan import back_off_s, given_up
from deployer.rollout.remember import history_of
from deployer.rollout.view import Condition, Observed, ServerView
from deployer.runtimes import runtime_of
from deployer.server import ModelServer, State

NO_PROVENANCE = Provenance()


@dataclass(frozen=True, kw_only=True)
class Filters:
    """What a model server must match; None matches all."""

    service_uuid: UUID | None = None
    pipeline_name: str | None = None
    pipeline_run_id: str | None = None
    pipeline_step_name: str | None = None
    model_name: str | None = None
    model_uri: str | None = None
    model_type: str | None = None

    def match(self, record: Record) -> bool:
        provenance = record.config.provenance or NO_PROVENANCE
        return (
            self.service_uuid in (None, record.uuid)
            and self.pipeline_name in (None, provenance.pipeline_name)
            and self.pipeline_run_id in (None, provenance.pipeline_run_id)
            and self.pipeline_step_name in (None, provenance.pipeline_step_name)
            and self.model_name in (None, record.config.model_name)
            and self.model_uri in (None, record.config.model_uri)
            and self.model_type in (None, record.model_type)
        )


ALL = Filters()


def model_server(view: ServerView, url: str, token: str = "") -> ModelServer:
    """What a caller is told of a server that has at least one workload.

    Args:
        token: reference to the token that all its deployer's servers ask for.
    """
    assert view.speaking, "a view without workloads speaks of no server"
    record = view.speaking.workload.record
    state, message = _state(view, view.speaking)
    prediction_path, protocol = _spoken_to(record)
    return ModelServer(
        uuid=record.uuid,
        name=record.name,
        url=url,
        prediction_url=url + prediction_path,
        state=state,
        message=message,
        revision=record.revision,
        config=record.config,
        digest=record.digest,
        model_type=record.model_type,
        protocol=protocol,
        token=record.config.access.token if record.config.access else token,
        created_at=record.server_created_at,
        deployed_at=record.created_at,
    )


def newest_first(servers: list[ModelServer]) -> list[ModelServer]:
    return sorted(servers, key=lambda server: (server.created_at, server.uuid.int), reverse=True)


def kept_digests(views: Sequence[ServerView], keep_models: int) -> set[str]:
    """The digests of every workload, and of each server's newest revisions that served."""
    kept = {o.workload.record.digest for view in views for o in view.workloads}
    for view in (view for view in views if _remembers_other_models(view, kept)):
        kept.update(_digests_that_served(view)[-keep_models:])
    return kept


def kept_environments(views: Sequence[ServerView], keep_models: int) -> set[str]:
    """The keys of the isolated environments of what `kept_digests` keeps."""
    kept = {environment.key for view in views for o in view.workloads if (environment := o.workload.record.environment)}
    for view in (view for view in views if _remembers_environments(view)):
        served = [entry for entry in history_of(view) if entry.outcome is Outcome.SERVED]
        kept.update(entry.environment.key for entry in served[-keep_models:] if entry.environment)
    return kept


def kept_images(views: Sequence[ServerView], keep_models: int) -> set[str]:
    """The ids of the container images of what `kept_digests` keeps."""
    kept = {image.id for view in views for o in view.workloads if (image := o.workload.record.image)}
    for view in (view for view in views if _remembers_images(view)):
        served = [entry for entry in history_of(view) if entry.outcome is Outcome.SERVED]
        kept.update(entry.image.id for entry in served[-keep_models:] if entry.image)
    return kept


def _remembers_images(view: ServerView) -> bool:
    return any(entry.image for o in view.workloads for entry in o.workload.record.history)


def _remembers_environments(view: ServerView) -> bool:
    return any(entry.environment for o in view.workloads for entry in o.workload.record.history)


def _digests_that_served(view: ServerView) -> list[str]:
    """Oldest first. Most servers have one workload, which serves: its record says it all, and no history is made."""
    only = view.workloads[0].workload.record
    settled = len(view.workloads) == len(view.serving) == 1 and not view.workloads[0].refused
    digests = [e.digest for e in (only.history if settled else history_of(view)) if e.outcome is Outcome.SERVED]
    return [*digests, only.digest] if settled else digests


def _remembers_other_models(view: ServerView, digests: set[str]) -> bool:
    return any(entry.digest not in digests for o in view.workloads for entry in o.workload.record.history)


def _spoken_to(record: Record) -> tuple[str, str]:
    try:
        runtime = runtime_of(record.config.runtime)
    except UnknownName:
        return "/", ""
    return runtime.prediction_path(record.config), runtime.protocol


def _state(view: ServerView, speaking: Observed) -> tuple[State, str]:
    if view.unreadable:
        return State.UNKNOWN, "what its URL leads to cannot be read: another version of this library may have made it"
    if view.stopped:
        return State.STOPPED, "it still runs, and is about to stop" if speaking.runs else ""
    if not view.serves(speaking):
        return _state_before_it_serves(view, speaking)
    state, message = _state_of_held() if view.makes_room else _state_of_serving(speaking, view.reaches(speaking))
    return state, "; ".join(filter(None, (message, _rollout_under_way(view))))


def _state_before_it_serves(view: ServerView, speaking: Observed) -> tuple[State, str]:
    if not view.is_open(speaking):
        return State.FAILED, f"revision {speaking.revision} was refused: {speaking.why_closed}"
    if speaking.condition is Condition.CREATED:
        return State.PENDING, "created and not started yet: reconcile, deploy or start goes on with it"
    if speaking.condition is Condition.ENDED:
        return State.FAILED, f"it ended before it served: {speaking.answer}"
    return State.PENDING, "it is starting and takes no traffic yet: reconcile, deploy or start goes on with it"


def _state_of_held() -> tuple[State, str]:
    return State.PENDING, "nothing serves until a new revision does: its rollout, recreate, causes an outage"


def _state_of_serving(serving: Observed, reached: bool) -> tuple[State, str]:
    match serving.condition:
        case Condition.READY:
            return _state_of_ready(reached)
        case Condition.CREATED:
            return State.PENDING, "it is about to be started"
        case Condition.ENDED:
            return State.FAILED, _why_it_does_not_run(serving)
        case Condition.SILENT | Condition.RUNNING:
            return State.UNKNOWN, "it runs, and did not answer its health check in time" + _until_when(serving)
        case Condition.UNREACHED if serving.workload.age_s <= serving.probes.startup_s:
            return State.PENDING, "it is starting"
        case _:
            return State.FAILED, f"it runs, and its health check says no: {serving.answer}"


def _until_when(hanging: Observed) -> str:
    limit_s = hanging.probes.restart_hung_s
    return f"; reconcile restarts it once that has been so for {limit_s:g} s" if limit_s else ""


def _state_of_ready(reached: bool) -> tuple[State, str]:
    if reached:
        return State.READY, ""
    return State.PENDING, "it is ready, and its URL is yet to lead to it: reconcile or start goes on with it"


def _why_it_does_not_run(serving: Observed) -> str:
    ended = serving.answer or "it ended, and how is not known"
    if serving.workload.comes_back:
        return f"{ended}; its platform is about to start it again"
    if given_up(serving):
        return f"{ended}; given up after {serving.workload.starts} starts: start it, or deploy again"
    if wait_s := back_off_s(serving):
        return f"{ended}; reconcile starts it again in {wait_s:.0f} s"
    return f"{ended}; reconcile or start brings it back"


def _rollout_under_way(view: ServerView) -> str:
    newest = view.workloads[-1]
    if newest.revision <= max(b.revision for b in view.route.split):
        return ""
    if not view.is_open(newest):
        return f"revision {newest.revision} was refused: {newest.why_closed}"
    return f"revision {newest.revision} is on its way: its deployer, reconcile, another deploy or start goes on with it"
