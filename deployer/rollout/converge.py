"""Look, plan, carry out the next step, and again, until nothing is left to do."""

from deployer.errors import Conflict, DeployerError, PrefectUnavailable, Transient
from deployer.rollout.execute import Executor
from deployer.rollout.failures import still_serving
from deployer.rollout.observe import Observer
from deployer.rollout.plan import plan
from deployer.rollout.steps import Action, Step
from deployer.rollout.view import ServerView
from deployer.rollout.wait import Deadline


class Converger:
    """Brings servers to where their plans are empty; one for each operation.

    A step that failed for good is not tried again, and keeps no other step from being carried out: an old
    revision that cannot be started any more must not hinder the new one.
    """

    def __init__(self, observer: Observer, executor: Executor) -> None:
        self._observer = observer
        self._executor = executor
        self._failures: dict[tuple[str, Step], DeployerError] = {}

    def next_step(self, view: ServerView) -> Step | None:
        """The first step of the plan for that view that has not failed; None where the plan is empty.

        Raises:
            DeployerError: why the first one failed, where each of them did.
        """
        steps = plan(view)
        if left := [step for step in steps if (view.server, step) not in self._failures]:
            return left[0]
        self.raise_failure(view)
        return None

    def carry_out(self, view: ServerView, step: Step) -> bool:
        """Whether it was done. A conflict is no failure: somebody else moved, and the next look shows it.

        Raises:
            Transient: the platform or the gateway does not answer; nothing else is tried. What only lacks a secret
                of a Prefect server that is silent hinders no other.
        """
        try:
            self._executor.execute(view, step)
        except Conflict:
            return False
        except DeployerError as error:
            if isinstance(error, Transient) and not isinstance(error, PrefectUnavailable):
                raise
            self._failures[view.server, step] = error
            return False
        return True

    def converge(self, server: str, deadline: Deadline, wait: bool = True) -> ServerView:
        """Go on until the plan is empty (or, without `wait`, only waits), or the deadline has passed.

        Raises:
            DeployerError: why a step failed that is still to be done.
        """
        while True:
            view = self._observer.look(server)
            step = self.next_step(view)
            if deadline.passed:
                self.raise_failure(view)
            if step is None or deadline.passed or (step.action is Action.WAIT and not wait):
                self._executor.waited(view)
                return view
            self.carry_out(view, step)

    def raise_failure(self, view: ServerView) -> None:
        """Raise why a step failed that is still to be done, if one did."""
        for step in plan(view):
            if error := self._failures.get((view.server, step)):
                error.serving = error.serving or still_serving(view)
                raise error
