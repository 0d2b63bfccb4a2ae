"""Stopping, starting and deleting a model server."""

import contextlib
import time
from collections.abc import Iterator
from uuid import UUID

from deployer.engine import Wanted
from deployer.errors import Conflict, LifecycleTimeout, RolloutError, ServerNotFound, Transient
from deployer.records.record import Record
from deployer.rollout import failures
from deployer.rollout.converge import Converger
from deployer.rollout.execute import Executor
from deployer.rollout.fate import STOPPED_DURING_ROLLOUT, Fate, fate_of
from deployer.rollout.identify import of_uuid
from deployer.rollout.observe import standing
from deployer.rollout.platform import Platform
from deployer.rollout.view import Observed, ServerView
from deployer.rollout.wait import HANGING_PAUSE_S, Deadline

DONE_WITHIN_S = 300.0
"""For what a caller does not wait for, or set no time for."""


class Lifecycle:
    """What a person may ask of a server beside deploying to it.

    A server's name alone says too little: another one of that name may have come meanwhile, with another UUID.
    """

    def __init__(self, platform: Platform, executor: Executor) -> None:
        self._engine = platform.engine
        self._gateway = platform.gateway
        self._observer = platform.observer
        self._executor = executor

    def find(self, uuid: UUID) -> ServerView:
        """The server with that UUID, none of its workloads asked.

        Raises:
            ServerNotFound: there is none.
        """
        return of_uuid(uuid, self._observer.read_all())

    def stop(self, uuid: UUID, deadline: Deadline, force: bool) -> None:
        """Close a rollout under way, mark, then stop what the route names.

        Raises:
            LifecycleTimeout: it is marked, and does not end in time.
            EngineError: what serves cannot be read.
        """
        deadline = _for_the_work(deadline)
        server = self.find(uuid).server
        self._mark_stopped(server, uuid)
        if force:
            self._kill(server, uuid)
        else:
            self._require_stopped(self._converged(server, deadline, wait=False), uuid, deadline)

    def start(self, view: ServerView, deadline: Deadline, log_tail: failures.LogTail) -> None:
        """Start what shall serve and wait until it does; the server has an open revision.

        Raises:
            RevisionRefused: it does not become ready.
            ServerStopped: it was stopped meanwhile.
            ServerNotFound: it was deleted meanwhile.
            EngineError: what serves cannot be read.
        """
        if view.unreadable:
            raise failures.unreadable(view.name)
        self._gateway.ensure()
        assert view.target, "a server without an open revision is started by a new one"
        self._engine.mark(view.target.ref, Wanted.RUNNING, "started by its user")
        if deadline.seconds == 0:
            self._converged(view.server, _for_the_work(deadline), wait=False)
            return
        started = view.target.workload.record
        while True:
            view = self._converged(view.server, deadline)
            if not _serves(of_uuid(started.uuid, [view]), started, deadline, log_tail):
                time.sleep(HANGING_PAUSE_S)
            elif self._executor.acknowledged(view):
                return

    def delete(self, uuid: UUID, deadline: Deadline, force: bool) -> None:
        """Stop, remove the workloads, the highest last, then the route; killed in between it is a stopped server."""
        deadline = _for_the_work(deadline)
        self.find(uuid)
        while True:
            with contextlib.suppress(Conflict, ServerNotFound):
                self.stop(uuid, deadline, force)
                self._remove(self.find(uuid), uuid)
            if not self._is_there(uuid):
                return
            if deadline.passed:
                raise LifecycleTimeout(
                    f"The server {uuid} was not deleted within {deadline.seconds:g} s.",
                    hint="It hangs, or somebody wants it to run again: delete it again, with force if it hangs.",
                )

    def _is_there(self, uuid: UUID) -> bool:
        with contextlib.suppress(ServerNotFound):
            self.find(uuid)
            return True
        return False

    def remove_superseded(self, uuid: UUID, revision: int, deadline: Deadline) -> None:
        """Delete that server if it still stands at that revision."""
        if standing(self._observer.read_all()).get(uuid) == revision:
            self.delete(uuid, deadline, force=False)

    def _converged(self, server: str, deadline: Deadline, wait: bool = True) -> ServerView:
        return Converger(self._observer, self._executor).converge(server, deadline, wait)

    def _mark_stopped(self, server: str, uuid: UUID) -> None:
        """Until no look shows anything that was created meanwhile."""
        while True:
            view = self._observer.look(server, asked=False)
            if view.unreadable:
                raise failures.unreadable(view.name)
            target = view.target
            if target is None or view.stopped or target.workload.record.uuid != uuid:
                return
            with contextlib.suppress(Conflict):
                if view.route.split and not view.serves(target):
                    self._executor.close(view, target, STOPPED_DURING_ROLLOUT)
                else:
                    self._engine.mark(target.ref, Wanted.STOPPED, "stopped by its user")

    def _kill(self, server: str, uuid: UUID) -> None:
        for observed in _of(self._observer.look(server, asked=False), uuid):
            self._engine.stop(observed.ref, 0)
        with contextlib.suppress(Transient):
            self._converged(server, Deadline(DONE_WITHIN_S), wait=False)

    def _remove(self, view: ServerView, uuid: UUID) -> None:
        if any(o.runs for o in _of(view, uuid)):
            return
        for observed in _of(view, uuid):
            self._executor.delete(observed.ref)
        left = self._observer.look(view.server, asked=False)
        if not left.workloads and left.route.tag and not left.unreadable:
            self._gateway.remove(left.server, left.route.tag)

    def _require_stopped(self, view: ServerView, uuid: UUID, deadline: Deadline) -> None:
        """Who started it again, or deployed to it, came later than the stop."""
        if view.stopped and any(o.runs for o in _of(view, uuid)):
            raise LifecycleTimeout(
                f"{view.server} was not stopped within {deadline.seconds:g} s.",
                serving=failures.still_serving(view),
                hint="It is marked so, and reconcile goes on; force ends it at once.",
            )


def _for_the_work(deadline: Deadline) -> Deadline:
    """Who does not wait for a server to be ready gives the steps themselves the time that they take."""
    return deadline if deadline.seconds else Deadline(DONE_WITHIN_S)


def _of(view: ServerView, uuid: UUID) -> Iterator[Observed]:
    return (o for o in view.workloads if o.workload.record.uuid == uuid)


def _serves(view: ServerView, started: Record, deadline: Deadline, log_tail: failures.LogTail) -> bool:
    """Whether what the route names is ready; False while it runs and may yet come to answer."""
    assert view.speaking
    mine, name = view.speaking, view.speaking.workload.record.name
    if view.stopped:
        raise _why_stopped(view, started, log_tail)
    if view.reaches(mine):
        return True
    if deadline.passed:
        raise failures.timed_out(view, name, mine, log_tail, seconds=deadline.seconds, closed=False)
    if not mine.runs:
        raise failures.not_serving(view, name, mine, log_tail)
    return False


def _why_stopped(view: ServerView, started: Record, log_tail: failures.LogTail) -> RolloutError:
    """By its user; or what was started was refused, and what is below it had been stopped before."""
    mine = view.with_token(started.token)
    if mine and fate_of(view, started.revision, started.token, has_served=False) is Fate.REFUSED:
        return failures.refused(view, started.name, mine, log_tail)
    return failures.stopped(view, started.name, started.revision)
