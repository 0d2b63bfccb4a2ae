"""Stopping, starting and deleting a model server."""

import contextlib
from uuid import UUID

from deployer.engine import Wanted
from deployer.errors import Conflict, LifecycleTimeout, RevisionRefused, ServerNotFound, Transient
from deployer.rollout import failures
from deployer.rollout.converge import Converger
from deployer.rollout.execute import Executor
from deployer.rollout.fate import STOPPED_DURING_ROLLOUT
from deployer.rollout.identify import of_uuid
from deployer.rollout.observe import standing
from deployer.rollout.platform import Platform
from deployer.rollout.view import Observed, ServerView
from deployer.rollout.wait import Deadline

SUPERSEDED_REMOVED_WITHIN_S = 300.0


class Lifecycle:
    """What a person may ask of a server beside deploying to it."""

    def __init__(self, platform: Platform, executor: Executor) -> None:
        self._engine = platform.engine
        self._gateway = platform.gateway
        self._observer = platform.observer
        self._executor = executor
        self._converger = Converger(platform.observer, executor)

    def find(self, uuid: UUID) -> ServerView:
        """The server with that UUID, none of its workloads asked.

        Raises:
            ServerNotFound: there is none.
        """
        return of_uuid(uuid, self._observer.read_all())

    def stop(self, uuid: UUID, deadline: Deadline, force: bool) -> None:
        """Close a rollout under way, mark, then stop what the route names."""
        server = self.find(uuid).server
        self._mark_stopped(server)
        if force:
            self._kill(server)
        else:
            self._done(self._converger.converge(server, deadline), deadline, "stopped")

    def start(self, view: ServerView, deadline: Deadline, log_tail: failures.LogTail) -> None:
        """Start what shall serve and wait until it does; the server has an open revision.

        Raises:
            RevisionRefused: it does not become ready.
        """
        self._gateway.ensure()
        assert view.target, "a server without an open revision is started by a new one"
        self._engine.mark(view.target.ref, Wanted.RUNNING, "started by its user")
        if deadline.seconds == 0:
            self._converger.converge(view.server, Deadline(SUPERSEDED_REMOVED_WITHIN_S), wait=False)
            return
        view = self._converger.converge(view.server, deadline)
        if (speaking := view.speaking) and not (speaking.ready and view.serves(speaking)):
            raise _not_started(view, speaking, deadline, log_tail)

    def delete(self, uuid: UUID, deadline: Deadline, force: bool) -> None:
        """Stop, remove the workloads, the highest last, then the route; killed in between it is a stopped server."""
        self.find(uuid)
        while uuid in standing(self._observer.read_all()):
            with contextlib.suppress(Conflict, ServerNotFound):
                self.stop(uuid, deadline, force)
                self._remove(self.find(uuid))
            if deadline.passed:
                raise LifecycleTimeout(
                    f"The server {uuid} was not deleted within {deadline.seconds:g} s.",
                    hint="It is stopped, or about to be: delete it again, with force if it hangs.",
                )

    def remove_superseded(self, uuid: UUID, revision: int) -> None:
        """Delete that server if it still stands at that revision."""
        if standing(self._observer.read_all()).get(uuid) == revision:
            self.delete(uuid, Deadline(SUPERSEDED_REMOVED_WITHIN_S), force=False)

    def _mark_stopped(self, server: str) -> None:
        while True:
            view = self._observer.look(server, probe_s=0.0)
            target = view.target
            if target is None:
                return
            with contextlib.suppress(Conflict):
                if view.route.split and not view.serves(target):
                    self._executor.close(view, target, STOPPED_DURING_ROLLOUT)
                    continue
                self._engine.mark(target.ref, Wanted.STOPPED, "stopped by its user")
                return

    def _kill(self, server: str) -> None:
        for observed in self._observer.look(server, probe_s=0.0).workloads:
            self._engine.stop(observed.ref, 0)
        with contextlib.suppress(Transient):
            self._converger.converge(server, Deadline(SUPERSEDED_REMOVED_WITHIN_S), wait=False)

    def _remove(self, view: ServerView) -> None:
        for observed in view.workloads:
            self._engine.delete(observed.ref)
        if view.route.tag:
            self._gateway.remove(view.server, self._gateway.routes(view.server)[view.server].tag)

    def _done(self, view: ServerView, deadline: Deadline, what: str) -> None:
        if any(o.runs for o in view.open):
            raise LifecycleTimeout(
                f"{view.server} was not {what} within {deadline.seconds:g} s.",
                serving=failures.still_serving(view),
                hint="It is marked so, and reconcile goes on; force ends it at once.",
            )


def _not_started(
    view: ServerView, speaking: Observed, deadline: Deadline, log_tail: failures.LogTail
) -> RevisionRefused:
    name = speaking.workload.record.name
    if deadline.passed:
        return failures.timed_out(view, name, speaking, log_tail, seconds=deadline.seconds, own=False)
    return RevisionRefused(
        f"{name} was started and does not serve: {speaking.answer or speaking.condition}.",
        serving=failures.still_serving(view),
        hint="Look into its log, mend what it says, then start it again or deploy a better model.",
        status=speaking.condition,
        exit_code=speaking.workload.ending.exit_code if speaking.workload.ending else None,
        log_tail=log_tail(speaking),
    )
