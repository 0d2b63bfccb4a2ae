"""Look, plan, carry out the first step, and again, until nothing is left to do."""

import contextlib

from deployer.errors import Conflict
from deployer.rollout.execute import Executor
from deployer.rollout.observe import Observer
from deployer.rollout.plan import plan
from deployer.rollout.steps import Action, Step
from deployer.rollout.view import ServerView
from deployer.rollout.wait import Deadline


class Converger:
    """Brings one server at a time to where its plan is empty."""

    def __init__(self, observer: Observer, executor: Executor) -> None:
        self._observer = observer
        self._executor = executor

    def advance(self, view: ServerView) -> bool:
        """Carry out the first step of the plan for that view; False where there is none."""
        step = _first_step(view)
        if step:
            self._carry_out(view, step)
        else:
            self._executor.waited(view)
        return step is not None

    def converge(self, server: str, deadline: Deadline, wait: bool = True) -> ServerView:
        """Go on until the plan is empty (or, without `wait`, only waits), or the deadline has passed."""
        while True:
            view = self._observer.look(server)
            step = _first_step(view)
            if step is None or deadline.passed or (step.action is Action.WAIT and not wait):
                self._executor.waited(view)
                return view
            self._carry_out(view, step)

    def _carry_out(self, view: ServerView, step: Step) -> None:
        """A conflict is no failure: somebody else moved, and the next look shows it."""
        with contextlib.suppress(Conflict):
            self._executor.execute(view, step)


def _first_step(view: ServerView) -> Step | None:
    return next(iter(plan(view)), None)
