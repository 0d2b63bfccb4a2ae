"""Observe, plan, execute, over every model server of a deployer."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from uuid import UUID

from deployer.errors import DeployerError
from deployer.rollout.converge import Converger
from deployer.rollout.observe import PROBE_S
from deployer.rollout.plan import plan
from deployer.rollout.steps import Progress
from deployer.rollout.view import Condition, ServerView
from deployer.rollout.wait import Deadline

AT_ONCE, WAITING_AT_ONCE = 8, 64


@dataclass(frozen=True)
class ServerReport:
    """What reconcile did for one server.

    Attributes:
        uuid: None for a route whose server is gone.
        steps: the steps done, with their causes and seconds.
        pending: what was still to be done or waited for when the time was up, in words.
        error: what kept it from its end, in words.
    """

    name: str
    uuid: UUID | None
    steps: tuple[Progress, ...] = ()
    pending: str = ""
    error: str = ""


@dataclass(frozen=True)
class Report:
    """What reconcile did; servers it found as they should be have no steps.

    Attributes:
        troubles: what went wrong beside the servers, in words: with the gateway, or with what is left over.
    """

    servers: tuple[ServerReport, ...] = field(default_factory=tuple)
    troubles: tuple[str, ...] = ()

    @property
    def changed(self) -> tuple[ServerReport, ...]:
        return tuple(report for report in self.servers if report.steps)

    @property
    def failed(self) -> tuple[ServerReport, ...]:
        return tuple(report for report in self.servers if report.error)

    @property
    def went_well(self) -> bool:
        return not (self.failed or self.troubles)


class StepsByServer:
    """Collects the steps that are done, by server."""

    def __init__(self) -> None:
        self._done: dict[str, list[Progress]] = {}

    def add(self, progress: Progress) -> None:
        if progress.seconds is not None:
            self._done.setdefault(progress.server, []).append(progress)

    def of(self, name: str) -> tuple[Progress, ...]:
        return tuple(self._done.get(name, ()))


def reconcile(views: Sequence[ServerView], converger: Converger, steps: StepsByServer, deadline: Deadline) -> Report:
    """Bring every server that was seen to where its plan is empty, several at once, until the deadline.

    Args:
        steps: what the converger's executor tells of its progress.
    """
    begun = [view.server for view in views if plan(view) or _may_answer_later(view)]
    ends = _at_once(AT_ONCE, begun, lambda s: _one(converger, s, deadline, wait=False), deadline)
    # Nobody who is dead waits for the rollouts of others.
    waiting = [server for server, end in ends.items() if end.pending]
    ends |= _at_once(WAITING_AT_ONCE, waiting, lambda s: _one(converger, s, deadline, wait=True), deadline)
    return Report(tuple(_report(view, steps, ends.get(view.server, AT_ITS_END)) for view in views))


@dataclass(frozen=True)
class _End:
    """How far a server came; both empty where it came to its end."""

    pending: str = ""
    error: str = ""


AT_ITS_END = _End()


def _may_answer_later(view: ServerView) -> bool:
    """Whether one that was silent may take longer to answer than the look at all of them did."""
    return any(o.condition is Condition.SILENT and o.probes.timeout_s > PROBE_S for o in view.open)


def _at_once(threads: int, servers: list[str], end_of: Callable[[str], _End], deadline: Deadline) -> dict[str, _End]:
    """An interruption ends the deadline: each server's present step is carried out, and that is all."""
    with ThreadPoolExecutor(threads, thread_name_prefix="reconcile") as pool:
        try:
            return dict(zip(servers, pool.map(end_of, servers), strict=True))
        except BaseException:
            deadline.end()
            raise


def _one(converger: Converger, server: str, deadline: Deadline, wait: bool) -> _End:
    try:
        left = plan(converger.converge(server, deadline, wait))
    except DeployerError as error:
        return _End(error=str(error))
    return _End(pending=left[0].cause if left else "")


def _report(view: ServerView, steps: StepsByServer, end: _End) -> ServerReport:
    record = view.speaking.workload.record if view.speaking else None
    return ServerReport(view.name, record.uuid if record else None, steps.of(view.name), end.pending, end.error)
