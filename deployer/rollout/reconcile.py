"""Observe, plan, execute, over every model server of a deployer."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from uuid import UUID

from deployer.errors import DeployerError
from deployer.rollout.converge import Converger
from deployer.rollout.execute import Executor
from deployer.rollout.observe import Observer
from deployer.rollout.plan import plan
from deployer.rollout.steps import Action, Progress
from deployer.rollout.view import ServerView
from deployer.rollout.wait import Deadline

AT_ONCE = 8


@dataclass(frozen=True)
class ServerReport:
    """What reconcile did for one server.

    Attributes:
        uuid: None for a route whose server is gone.
        steps: the steps done, with their causes and seconds.
        pending: what it still waits for when the time was up, in words.
        error: what kept it from its end, in words.
    """

    name: str
    uuid: UUID | None
    steps: tuple[Progress, ...] = ()
    pending: str = ""
    error: str = ""


@dataclass(frozen=True)
class Report:
    """What reconcile did; servers it found as they should be have no steps."""

    servers: tuple[ServerReport, ...] = field(default_factory=tuple)

    @property
    def changed(self) -> tuple[ServerReport, ...]:
        return tuple(report for report in self.servers if report.steps)

    @property
    def failed(self) -> tuple[ServerReport, ...]:
        return tuple(report for report in self.servers if report.error)


class StepsByServer:
    """Collects the steps that are done, by server."""

    def __init__(self) -> None:
        self._done: list[Progress] = []

    def add(self, progress: Progress) -> None:
        if progress.seconds is not None:
            self._done.append(progress)

    def of(self, name: str) -> tuple[Progress, ...]:
        return tuple(progress for progress in self._done if progress.server == name)


def reconcile(observer: Observer, executor: Executor, steps: StepsByServer, deadline: Deadline) -> Report:
    """Bring every server to where its plan is empty, several at once, until the deadline.

    Args:
        steps: what the executor tells of its progress.
    """
    converger = Converger(observer, executor)
    views = observer.look_at_all()
    busy = [view for view in views if plan(view)]
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="reconcile") as pool:
        ends = pool.map(lambda view: _one(converger, view, deadline), busy)
        outcomes = {view.server: end for view, end in zip(busy, ends, strict=True)}
    return Report(tuple(_report(view, steps, *outcomes.get(view.server, ("", ""))) for view in views))


def _one(converger: Converger, view: ServerView, deadline: Deadline) -> tuple[str, str]:
    try:
        after = converger.converge(view.server, deadline)
    except DeployerError as error:
        return "", str(error)
    waits = [step.cause for step in plan(after) if step.action is Action.WAIT]
    return waits[0] if waits else "", ""


def _report(view: ServerView, steps: StepsByServer, pending: str, error: str) -> ServerReport:
    record = view.speaking.workload.record if view.speaking else None
    name = record.name if record else view.server
    return ServerReport(name, record.uuid if record else None, steps.of(name), pending, error)
