"""Closing a revision of one's own, so that it never goes live behind its deployer's back."""

import contextlib
from collections.abc import Iterator

from deployer.errors import Conflict, DeployerError, RolloutError, Transient
from deployer.rollout import failures
from deployer.rollout.converge import Converger
from deployer.rollout.execute import Executor
from deployer.rollout.observe import Observer
from deployer.rollout.view import ServerView
from deployer.rollout.wait import Deadline
from deployer.rollout.wish import Claim

CLEARED_WITHIN_S = 60.0
INTERRUPTED = "its deployer was interrupted"


class Closer:
    """Closes what its deployer created and can no longer wait for; what it joined it leaves alone."""

    def __init__(self, observer: Observer, executor: Executor) -> None:
        self._observer = observer
        self._executor = executor

    def close(self, claim: Claim, cause: str) -> bool:
        """Close a revision of one's own for ever and clear it up; False where it serves by now."""
        while claim.own:
            view = self._observer.look(claim.server, asked=False)
            mine = view.with_token(claim.record.token)
            if mine and view.serves(mine):
                return False
            if mine is None or not view.is_open(mine):
                break
            with contextlib.suppress(Conflict):
                self._executor.close(view, mine, cause)
        if claim.own:
            self.clear(claim)
        return True

    def clear(self, claim: Claim) -> None:
        """Stop and remove what is left over, and bring back what made room; what cannot be done now is reconcile's."""
        with contextlib.suppress(DeployerError):
            view = self._converged(claim, wait=False)
            if claim.record.config.rollout == "recreate" and view.target and view.serves(view.target):
                self._converged(claim, wait=True)

    def afterwards(self, view: ServerView) -> ServerView:
        """The server once a revision was closed; as it was before where it cannot be looked at."""
        with contextlib.suppress(DeployerError):
            return self._observer.look(view.server)
        return view

    def _converged(self, claim: Claim, wait: bool) -> ServerView:
        converger = Converger(self._observer, self._executor)
        return converger.converge(claim.server, Deadline(CLEARED_WITHIN_S), wait)

    @contextlib.contextmanager
    def closed_if_broken_off(self, claim: Claim) -> Iterator[None]:
        """What is interrupted or fails for good is closed; what may go better next time stays for reconcile."""
        try:
            yield
        except (RolloutError, Transient, Conflict):
            raise
        except BaseException as error:
            why = f"it cannot be rolled out: {error.what}" if isinstance(error, DeployerError) else INTERRUPTED
            with contextlib.suppress(DeployerError):
                self.close(claim, why)
                self._tell_what_serves(claim, error)
            raise

    def _tell_what_serves(self, claim: Claim, error: BaseException) -> None:
        """Since it was closed: what the error said of it before may be true no more."""
        if isinstance(error, DeployerError):
            view = self._observer.look(claim.server)
            error.serving = failures.still_serving(view, view.with_token(claim.record.token))
