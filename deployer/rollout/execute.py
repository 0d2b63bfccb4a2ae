"""Carrying out a plan's steps; decides nothing."""

import contextlib
import time
from collections.abc import Callable
from uuid import UUID

from deployer.engine import KeepsAlive, Phase, Ref, RemembersSilence, Wanted
from deployer.errors import Conflict, EngineError, ModelGone, RouteMoved
from deployer.gateway import Split, Tag
from deployer.records.record import Record
from deployer.rollout.platform import Platform
from deployer.rollout.steps import Action, OnProgress, Progress, Step
from deployer.rollout.view import Observed, ServerView

ACKNOWLEDGED_WITHIN_S = 10.0


class Executor:
    """Turns one step into calls of an engine and a gateway, and tells of it.

    Args:
        remove_server: removes the server with that UUID, unless it has moved on from that revision.
        fetch_again: brings back a revision's bytes that are gone; raises `ModelGone` where they cannot be had.
    """

    def __init__(
        self,
        platform: Platform,
        on_progress: OnProgress,
        remove_server: Callable[[UUID, int], None],
        fetch_again: Callable[[Record], None],
    ) -> None:
        self._engine = platform.engine
        self._gateway = platform.gateway
        self._tell = on_progress
        self._remove_server = remove_server
        self._fetch_again = fetch_again
        self._waits: dict[str, tuple[Step, float]] = {}

    def execute(self, view: ServerView, step: Step) -> None:
        """Carry out one step of the plan for that view; what it does may be done twice, and by anyone.

        Raises:
            Conflict: somebody else moved first; look again.
        """
        if step.action is Action.WAIT:
            self._wait(view, step)
            return
        self.waited(view)
        began = time.monotonic()
        self._tell(Progress(view.name, step))
        self._carry_out(view, step)
        self._tell(Progress(view.name, step, time.monotonic() - began))

    def waited(self, view: ServerView) -> None:
        """Tell that the wait for that server, if any, is over."""
        if waiting := self._waits.pop(view.server, None):
            step, began = waiting
            self._tell(Progress(view.name, step, time.monotonic() - began))

    def acknowledged(self, view: ServerView) -> bool:
        """Wait until the proxy routes as in that view; False where the route has moved on since.

        Raises:
            GatewayDown: not within some seconds.
        """
        try:
            self._gateway.acknowledge(view.server, view.route.tag, ACKNOWLEDGED_WITHIN_S)
        except RouteMoved:
            return False
        return True

    def close(self, view: ServerView, observed: Observed, cause: str) -> None:
        """Burn the number first, so that nobody can route it; then it may be stopped.

        Where a lower revision may have served before the route was lost, the mark has to do until that one is decided.
        """
        if observed.revision > view.route.high and view.may_burn(observed):
            self._write(view, view.route.split, observed.revision)
        self._engine.mark(observed.ref, Wanted.REFUSED, cause)

    def delete(self, ref: Ref) -> None:
        """Remove a workload that does not run.

        Raises:
            Conflict: somebody has started it since it was looked at.
        """
        try:
            self._engine.delete(ref)
        except EngineError as error:
            if any(
                workload.ref == ref and workload.phase is Phase.RUNNING for workload in self._engine.list(ref.server)
            ):
                raise Conflict(f"{ref} was started meanwhile", hint="look at it again") from error
            raise

    def _wait(self, view: ServerView, step: Step) -> None:
        if (waiting := self._waits.get(view.server)) is None or waiting[0] != step:
            self.waited(view)
            self._waits[view.server] = (step, time.monotonic())
            self._tell(Progress(view.name, step))
        time.sleep(step.pause_s)

    def _carry_out(self, view: ServerView, step: Step) -> None:
        match step.action:
            case Action.START:
                self._start(_observed(view, step))
            case Action.ROUTE:
                self._route(view, step)
            case Action.CLOSE:
                self.close(view, _observed(view, step), step.cause)
            case Action.RETIRE:
                self._retire(view, _observed(view, step))
            case Action.STOP:
                self._engine.stop(_observed(view, step).ref, _observed(view, step).drain.grace_s)
            case Action.NOTE_SILENCE | Action.FORGET_SILENCE:
                self._remembering.note_silence(_observed(view, step).ref, step.action is Action.NOTE_SILENCE)
            case Action.KILL:
                observed = _observed(view, step)
                self._remembering.kill_silent(observed.ref, observed.probes.restart_hung_s)
            case Action.KEEP_ALIVE:
                assert isinstance(self._engine, KeepsAlive)
                self._engine.keep_alive(_observed(view, step).ref)
            case Action.DELETE:
                self.delete(_observed(view, step).ref)
            case Action.UNROUTE:
                self._gateway.remove(view.server, view.route.tag)
            case Action.REMOVE_SERVER:
                self._remove_superseded(view, step)
            case _:
                raise AssertionError(f"no plan holds {step.action}")

    @property
    def _remembering(self) -> RemembersSilence:
        assert isinstance(self._engine, RemembersSilence)
        return self._engine

    def _start(self, observed: Observed) -> None:
        """Only the engine knows whether it lacks the bytes: it may have a copy of its own."""
        try:
            self._engine.start(observed.ref)
        except ModelGone:
            self._fetch_again(observed.workload.record)
            self._engine.start(observed.ref)

    def _route(self, view: ServerView, step: Step) -> None:
        split = (step.backend,) if step.backend else ()
        high = max([view.route.high, *(backend.revision for backend in split)])
        tag = self._write(view, split, high)
        with contextlib.suppress(RouteMoved):  # It was written all the same, and another one after it.
            self._gateway.acknowledge(view.server, tag, ACKNOWLEDGED_WITHIN_S)

    def _write(self, view: ServerView, split: Split, high: int) -> Tag:
        """Compare and swap; a first route that came too late goes again.

        No tag tells a server without a route from one of the same name that was made since it was looked at.
        """
        tag = self._gateway.write(view.server, split, high, view.route.tag)
        if not view.route.tag and not self._stands(view):
            self._gateway.remove(view.server, tag)
            raise RouteMoved(f"{view.server} was deleted before it was routed", hint="look at it again")
        return tag

    def _stands(self, view: ServerView) -> bool:
        tokens = {observed.ref.token for observed in view.workloads}
        return any(workload.record.token in tokens for workload in self._engine.list(view.server))

    def _retire(self, view: ServerView, observed: Observed) -> None:
        """Whoever stops what served acknowledges first and waits the whole drain, however often it was done before.

        What the route names still is not closed: it may have been started, and routed, while it drained.
        """
        self._gateway.acknowledge(view.server, view.route.tag, ACKNOWLEDGED_WITHIN_S)
        time.sleep(observed.drain.drain_s)
        if view.serves(observed):
            self._gateway.acknowledge(view.server, view.route.tag, ACKNOWLEDGED_WITHIN_S)
        self._engine.stop(observed.ref, observed.drain.grace_s)

    def _remove_superseded(self, view: ServerView, step: Step) -> None:
        assert step.superseded
        self._gateway.acknowledge(view.server, view.route.tag, ACKNOWLEDGED_WITHIN_S)
        self._remove_server(step.superseded, view.elsewhere[step.superseded])


def _observed(view: ServerView, step: Step) -> Observed:
    assert step.ref
    observed = view.with_token(step.ref.token)
    assert observed
    return observed
