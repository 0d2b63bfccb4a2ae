"""One deploy, from the wish to the revision that serves."""

import time

from deployer.gateway import Backend
from deployer.rollout import failures
from deployer.rollout.claim import Claimer
from deployer.rollout.close import Closer
from deployer.rollout.converge import Converger
from deployer.rollout.execute import Executor
from deployer.rollout.fate import Fate, fate_of
from deployer.rollout.plan import superseded_by
from deployer.rollout.platform import Platform
from deployer.rollout.remember import as_it_served, remembers_serving
from deployer.rollout.steps import Action, OnProgress, Step
from deployer.rollout.view import Observed, ServerView
from deployer.rollout.wait import HANGING_PAUSE_S, Deadline
from deployer.rollout.wish import Claim, Wish


class Deploy:
    """Creates a revision, or joins one that is the same, and sees it through."""

    def __init__(
        self, platform: Platform, executor: Executor, on_progress: OnProgress, log_tail: failures.LogTail
    ) -> None:
        self._gateway = platform.gateway
        self._observer = platform.observer
        self._executor = executor
        self._converger = Converger(platform.observer, executor)
        self._closer = Closer(platform.observer, executor)
        self._claimer = Claimer(platform, executor, self._closer, on_progress)
        self._log_tail = log_tail

    def deploy(self, wish: Wish, deadline: Deadline) -> ServerView:
        """The server as it was when the revision asked for served; without waiting if the deadline has no time.

        Raises:
            RolloutError: it does not serve.
            ServerAlreadyExists, ServerNotFound: the wish speaks of the wrong server.
            GatewayDown: both revisions stay, nothing is stopped; reconcile goes on.
        """
        self._gateway.ensure()
        claim = self._claimer.claim(wish)
        with self._closer.closed_if_broken_off(claim):
            return self._follow(claim, deadline) if deadline.seconds else self._begin(claim)

    def _begin(self, claim: Claim) -> ServerView:
        """What its start asks for is done, and waited for to its end: with `recreate`, all else is stopped first."""
        while True:
            view = self._observer.look(claim.server)
            if view.speaking is None:
                raise failures.deleted(claim.record.name, claim.record.revision)
            mine = view.with_token(claim.record.token)
            if mine is None or mine.runs or not view.is_open(mine):
                return view
            step = self._converger.next_step(view)
            if step is None or step.action is Action.WAIT:
                self._converger.raise_failure(view)
                return view
            self._converger.carry_out(view, step)

    def _follow(self, claim: Claim, deadline: Deadline) -> ServerView:
        served: ServerView | None = None
        asked = not claim.own  # nothing of its own runs yet that could be asked
        while True:
            view = self._observer.look(claim.server, asked)
            asked = True
            has_served = served is not None or remembers_serving(view, claim.record)
            fate = fate_of(view, claim.record.revision, claim.record.token, has_served)
            if fate is Fate.REPLACED:
                return served or as_it_served(claim.record)
            if fate is Fate.SERVES:
                served = view if served is None or _mine(view, claim).ready else served
            elif failure := self._failure(fate, view, claim, deadline):
                self._executor.waited(view)
                raise failure
            step = self._converger.next_step(view)
            if fate is Fate.SERVES and self._arrived(view, step, claim, deadline):
                return view
            if step is None:
                time.sleep(HANGING_PAUSE_S)
                continue
            began = time.monotonic()
            done = self._converger.carry_out(view, step)
            if done and (backend := _traffic_of(step, claim)):
                served = view.routed_to(backend)
            if step.action is Action.RETIRE:  # What an old revision takes to end counts against nobody's timeout.
                deadline = deadline.without(time.monotonic() - began)

    def _arrived(self, view: ServerView, step: Step | None, claim: Claim, deadline: Deadline) -> bool:
        """Whether nothing is left to do for what the route names; to wait for a later one is that one's deployer's.

        Raises:
            RolloutError: it does not come back, or not in time.
        """
        if step and step.action is not Action.WAIT:
            return False
        mine, name = _mine(view, claim), claim.record.name
        if mine.ready:
            self._executor.waited(view)
            return self._executor.acknowledged(view)
        if step is None and not mine.runs:
            raise failures.not_serving(view, name, mine, self._log_tail)
        if deadline.passed:
            self._executor.waited(view)
            raise failures.timed_out(view, name, mine, self._log_tail, seconds=deadline.seconds, closed=False)
        return False

    def _failure(self, fate: Fate, view: ServerView, claim: Claim, deadline: Deadline) -> Exception | None:
        """Why it will not serve, with what is its own cleared up; None while it still may."""
        name, revision = claim.record.name, claim.record.revision
        match fate:
            case Fate.UNDECIDED:
                return self._timeout(view, claim, deadline) if deadline.passed else None
            case Fate.SUPERSEDED:
                closed = self._closer.close(claim, superseded_by(view.highest_number))
                return failures.superseded(view, name, revision) if closed else None
            case Fate.STOPPED:
                self._closer.clear(claim)
                return failures.stopped(self._closer.afterwards(view), name, revision)
            case Fate.DELETED:
                self._closer.clear(claim)
                return failures.deleted(name, revision)
            case _:
                self._closer.clear(claim)
                return failures.refused(self._closer.afterwards(view), name, _mine(view, claim), self._log_tail)

    def _timeout(self, view: ServerView, claim: Claim, deadline: Deadline) -> Exception | None:
        seconds, name, mine = deadline.seconds, claim.record.name, _mine(view, claim)
        if not self._closer.close(claim, f"it was not ready within the {seconds:g} s that its deployer allowed"):
            return None
        after = self._closer.afterwards(view)
        return failures.timed_out(after, name, mine, self._log_tail, seconds=seconds, closed=claim.own)


def _traffic_of(step: Step, claim: Claim) -> Backend | None:
    """The backend by which a step gives the claimed revision its traffic, if it does."""
    mine = step.ref is not None and step.ref.token == claim.record.token
    return step.backend if mine and step.backend and step.backend.address else None


def _mine(view: ServerView, claim: Claim) -> Observed:
    mine = view.with_token(claim.record.token)
    assert mine, "a revision whose workload is gone was superseded or deleted"
    return mine
