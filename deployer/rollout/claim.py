"""From a wish to the revision that a deploy waits for: one that is there already, or a new one."""

import contextlib
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import uuid4

from deployer.engine import Wanted, WorkloadSpec
from deployer.errors import Conflict, EngineError, WorkloadExists
from deployer.records.record import Record
from deployer.rollout import failures
from deployer.rollout.close import Closer
from deployer.rollout.execute import Executor
from deployer.rollout.fate import STOPPED_DURING_ROLLOUT
from deployer.rollout.identify import Identity, identify, of_uuid, same
from deployer.rollout.observe import Observer
from deployer.rollout.plan import plan
from deployer.rollout.platform import Platform
from deployer.rollout.remember import history_of
from deployer.rollout.steps import Action, OnProgress, Progress, Step
from deployer.rollout.view import Observed, ServerView
from deployer.rollout.wish import Claim, Wish

ATTEMPTS = 50


class Claimer:
    """Finds the revision of an earlier try, joins one that is the same, or creates one."""

    def __init__(self, platform: Platform, executor: Executor, closer: Closer, on_progress: OnProgress) -> None:
        self._engine = platform.engine
        self._observer = platform.observer
        self._executor = executor
        self._closer = closer
        self._tell = on_progress

    def claim(self, wish: Wish) -> Claim:
        """The revision to wait for, wanted running.

        Raises:
            ServerStopped: the server was stopped since it was looked at.
            ServerAlreadyExists, ServerNotFound: the wish speaks of the wrong server.
            EngineError: what cannot be read serves there, or has taken each number that it tried.
        """
        taken = ""
        for _ in range(ATTEMPTS):
            try:
                if claim := self._claimed(wish, self._observer.read_all()):
                    return claim
            except WorkloadExists as error:
                taken = error.what
        raise EngineError(
            f"No revision could be created in {ATTEMPTS} attempts. {taken}",
            hint="Something that cannot be read may stand in its place: a deployer's `unreadable()` names it.",
        )

    def _claimed(self, wish: Wish, views: Sequence[ServerView]) -> Claim | None:
        tried = _tried_before(wish, views)
        if tried and tried.unreadable:
            raise failures.unreadable(tried.name)
        earlier = tried.made_for(wish.request_id) if tried else None
        if earlier and earlier.workload.record.digest == wish.digest:
            return self._woken(earlier, own=True)
        identity = _named(tried) if tried and not wish.replace else _identity(wish, views)
        if target := _same_target(identity, wish):
            return self._woken(target, own=False)
        return self._created(identity, wish)

    def _woken(self, observed: Observed, own: bool) -> Claim:
        """Who deploys what is stopped or dead wants it to run."""
        if observed.workload.wanted is Wanted.STOPPED or not observed.runs:
            self._engine.mark(observed.ref, Wanted.RUNNING, "deployed again")
        return Claim(observed.workload.record, own)

    def _created(self, identity: Identity, wish: Wish) -> Claim | None:
        """The revision made; None where the server went meanwhile, or another of its name came."""
        record = _record(identity, wish)
        claim = Claim(record, own=True)
        step = Step(action=Action.CREATE, cause=f"revision {record.revision}: {wish.cause}")
        self._tell(Progress(record.name, step))
        began = time.monotonic()
        with self._closer.closed_if_broken_off(claim):
            self._engine.create(WorkloadSpec(record, wish.launch))
            self._tell(Progress(record.name, step, time.monotonic() - began))
            return claim if self._stands(claim, identity.view) else None

    def _stands(self, claim: Claim, before: ServerView | None) -> bool:
        """Whether what befell the server between the look and the creation lets the revision be."""
        while _is_all_that_is_left(claim, after := self._observer.look(claim.server, asked=False)):
            with contextlib.suppress(Conflict):
                self._remove(after)
                return False
        mine = after.with_token(claim.record.token)
        if after.workloads and after.uuid != claim.record.uuid:
            self._closer.clear(claim)
            return False
        if mine and before and _stopped(after, mine) - _stopped(before, mine):
            self._closer.close(claim, STOPPED_DURING_ROLLOUT)
            raise failures.stopped(self._closer.afterwards(after), claim.record.name, claim.record.revision)
        return True

    def _remove(self, view: ServerView) -> None:
        """Whoever looked meanwhile has started it, as whatever was created."""
        for observed in view.workloads:
            self._engine.stop(observed.ref, 0)
            self._executor.delete(observed.ref)


def planned(wish: Wish, observer: Observer) -> list[Step]:
    """What a deploy of that wish would begin with, as things stand."""
    identity = _identity(wish, observer.read_all())
    if identity.view is None or identity.view.speaking is None:
        return [Step(action=Action.CREATE, cause=f"a new server, {identity.name}")]
    if target := _same_target(identity, wish):
        if target.workload.wanted is Wanted.STOPPED:
            return [Step(action=Action.START, ref=target.ref, cause="it is stopped, and wanted again")]
        return list(plan(observer.look(identity.server)))
    cause = f"revision {identity.view.highest_number + 1} of {identity.name}: config or model differ"
    if wish.config.rollout == "recreate":
        cause += "; its rollout is recreate: what serves is stopped first, an outage until the new one serves"
    return [Step(action=Action.CREATE, cause=cause)]


def _is_all_that_is_left(claim: Claim, view: ServerView) -> bool:
    """Whether its server was deleted before it was created."""
    alone = [o.workload.record.token for o in view.workloads] == [claim.record.token]
    return alone and claim.record.revision > 1 and not view.route.tag


def _tried_before(wish: Wish, views: Sequence[ServerView]) -> ServerView | None:
    """The server of which an earlier try of the same request made a revision, refused since or not."""
    asked = ((view, o.workload.record.request_id) for view in views for o in view.workloads)
    return next((view for view, request_id in asked if request_id == wish.request_id), None)


def _same_target(identity: Identity, wish: Wish) -> Observed | None:
    """The revision to join: the highest that is not closed, if it is just what is asked for."""
    target = identity.view.target if identity.view else None
    if target is None or wish.uuid or identity.supersedes:
        return None
    return target if same(target.workload.record, wish) else None


def _identity(wish: Wish, views: Sequence[ServerView]) -> Identity:
    found = _named(of_uuid(wish.uuid, views)) if wish.uuid else identify(wish.config, views, wish.replace)
    if found.view and found.view.unreadable:
        raise failures.unreadable(found.name)
    return found


def _named(view: ServerView) -> Identity:
    assert view.speaking
    return Identity(view.speaking.workload.record.name, view)


def _record(identity: Identity, wish: Wish) -> Record:
    view, now = identity.view, datetime.now(UTC)
    first = view.speaking.workload.record if view and view.speaking else None
    revision = 1 + view.highest_number if view else 1
    return Record(
        uuid=first.uuid if first else uuid4(),
        name=identity.name,
        revision=revision,
        token=uuid4().hex,
        request_id=wish.request_id,
        origin=wish.origin or revision,
        config=wish.config,
        digest=wish.digest,
        model_type=wish.model_type,
        cause=wish.cause,
        created_at=now,
        server_created_at=first.server_created_at if first else now,
        supersedes=identity.supersedes,
        access=wish.access,
        history=history_of(view) if view else (),
        environment=wish.environment,
        image=wish.image,
    )


def _stopped(view: ServerView, mine: Observed) -> set[str]:
    """The tokens of those marked stopped, beside one's own."""
    marked = (o.workload for o in view.workloads if o.ref != mine.ref)
    return {workload.record.token for workload in marked if workload.wanted is Wanted.STOPPED}
