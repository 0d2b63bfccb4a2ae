"""One deploy, from the wish to the revision that serves."""

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID, uuid4

from deployer.config import ModelServerConfig
from deployer.engine import Launch, Wanted, WorkloadSpec
from deployer.errors import Conflict, WorkloadExists
from deployer.records.record import Record
from deployer.rollout import failures
from deployer.rollout.converge import Converger
from deployer.rollout.execute import Executor
from deployer.rollout.fate import STOPPED_DURING_ROLLOUT, Fate, fate_of
from deployer.rollout.identify import Identity, identify, of_uuid, same
from deployer.rollout.observe import Observer
from deployer.rollout.plan import plan, superseded_by
from deployer.rollout.platform import Platform
from deployer.rollout.remember import history_of
from deployer.rollout.steps import Action, OnProgress, Progress, Step
from deployer.rollout.view import Observed, ServerView
from deployer.rollout.wait import Deadline

CLEARED_WITHIN_S = 60.0


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What shall serve, its bytes pinned.

    Attributes:
        request_id: the same for a deploy and its retries.
        uuid: the server to make a new revision of, whatever stands there; None: the config says which.
        origin: the revision whose config and bytes these are, None for the new one itself.
    """

    config: ModelServerConfig
    digest: str
    model_type: str
    launch: Launch
    request_id: str
    cause: str
    replace: bool = True
    uuid: UUID | None = None
    origin: int | None = None


@dataclass(frozen=True)
class Claim:
    """The revision that a deploy waits for; `own`: it created it, and may close it."""

    record: Record
    own: bool

    @property
    def server(self) -> str:
        return self.record.server


class Deploy:
    """Creates a revision, or joins one that is the same, and sees it through."""

    def __init__(
        self, platform: Platform, executor: Executor, on_progress: OnProgress, log_tail: failures.LogTail
    ) -> None:
        self._engine = platform.engine
        self._gateway = platform.gateway
        self._observer = platform.observer
        self._executor = executor
        self._converger = Converger(platform.observer, executor)
        self._tell = on_progress
        self._log_tail = log_tail

    def deploy(self, wish: Wish, deadline: Deadline) -> ServerView:
        """The server as it was when the revision asked for served; without waiting if the deadline has no time.

        Raises:
            RolloutError: it does not serve.
            ServerAlreadyExists, ServerNotFound: the wish speaks of the wrong server.
            GatewayDown: both revisions stay, nothing is stopped; reconcile goes on.
        """
        self._gateway.ensure()
        claim = self._claim(wish)
        if deadline.seconds == 0:
            return self._begin(claim)
        with self._closed_if_interrupted(claim):
            return self._follow(claim, deadline)

    def _claim(self, wish: Wish) -> Claim:
        while True:
            views = self._observer.read_all()
            if resumed := _resumed(views, wish):
                return resumed
            identity = _identity(wish, views)
            if joined := self._joined(identity, wish):
                return joined
            if created := self._created(identity, wish):
                return created

    def _joined(self, identity: Identity, wish: Wish) -> Claim | None:
        target = _same_target(identity, wish)
        if target is None:
            return None
        if target.workload.wanted is Wanted.STOPPED or not target.runs:
            self._engine.mark(target.ref, Wanted.RUNNING, "deployed again")
        return Claim(target.workload.record, own=False)

    def _created(self, identity: Identity, wish: Wish) -> Claim | None:
        """The revision made, or None where somebody else was first or the server went meanwhile."""
        record = _record(identity, wish)
        claim = Claim(record, own=True)
        step = Step(action=Action.CREATE, cause=f"revision {record.revision}: {wish.cause}")
        self._tell(Progress(record.name, step))
        began = time.monotonic()
        with self._closed_if_interrupted(claim):
            try:
                self._engine.create(WorkloadSpec(record, wish.launch))
            except WorkloadExists:
                return None
            self._tell(Progress(record.name, step, time.monotonic() - began))
            return claim if self._stands(claim, identity.view) else None

    def _stands(self, claim: Claim, before: ServerView | None) -> bool:
        """Whether what befell the server between the look and the creation lets the revision be."""
        after = self._observer.look(claim.server, probe_s=0.0)
        mine = after.with_token(claim.record.token)
        if mine and claim.record.revision > 1 and len(after.workloads) == 1 and not after.route.tag:
            self._engine.delete(mine.ref)
            return False
        if mine and before and _stopped_meanwhile(before, after):
            self._close(claim, STOPPED_DURING_ROLLOUT)
            raise failures.stopped(after, claim.record.name, claim.record.revision)
        return True

    def _begin(self, claim: Claim) -> ServerView:
        view = self._observer.look(claim.server)
        mine = view.with_token(claim.record.token)
        if mine and view.is_open(mine) and not mine.runs:
            step = Step(action=Action.START, ref=mine.ref, cause=f"revision {mine.revision} is wanted")
            self._executor.execute(view, step)
        return self._observer.look(claim.server)

    def _follow(self, claim: Claim, deadline: Deadline) -> ServerView:
        served: ServerView | None = None
        while True:
            view = self._observer.look(claim.server)
            fate = fate_of(view, claim.record.revision, claim.record.token, served is not None)
            if fate is Fate.REPLACED and served:
                return served
            if fate is Fate.SERVES:
                served = view
            elif failure := self._failure(fate, view, claim, deadline):
                self._executor.waited(view)
                raise failure
            if not self._converger.advance(view):
                return view

    def _failure(self, fate: Fate, view: ServerView, claim: Claim, deadline: Deadline) -> Exception | None:
        """Why it will not serve, with what is its own cleared up; None while it still may."""
        name, revision = claim.record.name, claim.record.revision
        match fate:
            case Fate.UNDECIDED:
                return self._timeout(view, claim, deadline) if deadline.passed else None
            case Fate.SUPERSEDED:
                closed = self._close(claim, superseded_by(view.highest_number))
                return failures.superseded(view, name, revision) if closed else None
            case Fate.STOPPED:
                self._clear(claim)
                return failures.stopped(view, name, revision)
            case Fate.DELETED:
                return failures.deleted(name, revision)
            case _:
                self._clear(claim)
                return failures.refused(view, name, _mine(view, claim), self._log_tail)

    def _timeout(self, view: ServerView, claim: Claim, deadline: Deadline) -> Exception | None:
        mine = _mine(view, claim)
        timed_out = failures.timed_out(
            view, claim.record.name, mine, self._log_tail, seconds=deadline.seconds, own=claim.own
        )
        cause = f"it was not ready within the {deadline.seconds:g} s that its deployer allowed"
        return timed_out if self._close(claim, cause) else None

    @contextlib.contextmanager
    def _closed_if_interrupted(self, claim: Claim) -> Iterator[None]:
        """What its deployer can no longer wait for shall not go live behind its back."""
        try:
            yield
        except BaseException as interruption:
            if not isinstance(interruption, Exception):
                self._close(claim, "its deployer was interrupted")
            raise

    def _close(self, claim: Claim, cause: str) -> bool:
        """Close a revision of one's own for ever and clear it up; False where it serves by now."""
        while claim.own:
            view = self._observer.look(claim.server, probe_s=0.0)
            mine = view.with_token(claim.record.token)
            if mine and view.serves(mine):
                return False
            if mine is None or not view.is_open(mine):
                break
            with contextlib.suppress(Conflict):
                self._executor.close(view, mine, cause)
        self._clear(claim)
        return True

    def _clear(self, claim: Claim) -> None:
        if claim.own:
            self._converger.converge(claim.server, Deadline(CLEARED_WITHIN_S), wait=False)


def _mine(view: ServerView, claim: Claim) -> Observed:
    mine = view.with_token(claim.record.token)
    assert mine, "a revision whose workload is gone was superseded or deleted"
    return mine


def planned(wish: Wish, observer: Observer) -> list[Step]:
    """What a deploy of that wish would begin with, as things stand."""
    identity = _identity(wish, observer.read_all())
    if identity.view is None:
        return [Step(action=Action.CREATE, cause=f"a new server, {identity.name}")]
    if _same_target(identity, wish):
        return list(plan(observer.look(identity.server)))
    number = identity.view.highest_number + 1
    return [Step(action=Action.CREATE, cause=f"revision {number} of {identity.name}: config or model differ")]


def _same_target(identity: Identity, wish: Wish) -> Observed | None:
    """The revision to join: the highest that is not closed, if it is just what is asked for."""
    target = identity.view.target if identity.view else None
    if target is None or wish.uuid or identity.supersedes:
        return None
    return target if same(target.workload.record, wish.config, wish.digest) else None


def _resumed(views: list[ServerView], wish: Wish) -> Claim | None:
    """What an earlier try of the same request created, if it may still serve."""
    for view in views:
        for o in view.open:
            if o.workload.record.request_id == wish.request_id:
                return Claim(o.workload.record, own=True)
    return None


def _identity(wish: Wish, views: list[ServerView]) -> Identity:
    if wish.uuid is None:
        return identify(wish.config, views, wish.replace)
    view = of_uuid(wish.uuid, views)
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
        history=history_of(view) if view else (),
    )


def _stopped_meanwhile(before: ServerView, after: ServerView) -> bool:
    if before.target is None or before.stopped:
        return False
    then = after.with_token(before.target.workload.record.token)
    return then is not None and then.workload.wanted is Wanted.STOPPED
