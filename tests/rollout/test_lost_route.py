"""Without a route, what served cannot be told from what never did: nothing of it may be closed for another's sake."""

from pathlib import Path

import pytest

from deployer.engine import Ending, Wanted
from deployer.errors import RevisionRefused
from deployer.rollout.plan import plan
from deployer.rollout.steps import Action
from deployer.rollout.view import Condition, Observed, ServerView
from deployer.server import State
from deployer.testing.memory import MemoryHarness
from tests.support.worlds import observed, routed_to

REFUSED = Wanted.REFUSED


def first_of(*workloads: Observed) -> list[tuple[Action, int]]:
    """What is done where the route is gone."""
    steps = plan(ServerView("s", routed_to(None), workloads))
    return [(step.action, step.ref.revision) for step in steps[:1] if step.ref]


def ended_after(seconds: float) -> Observed:
    """Revision 1, whose start may take 20 s."""
    ending = Ending(exit_code=-9, message="killed by SIGKILL", ago_s=100)
    return observed(1, Condition.ENDED, age_s=100 + seconds, ending=ending)


def test_a_refused_number_is_not_burnt_above_a_revision_that_is_still_starting() -> None:
    starting = observed(2, Condition.UNREACHED)
    assert first_of(starting, observed(3, Condition.ENDED, REFUSED)) == [(Action.WAIT, 2)]


def test_what_was_refused_is_stopped_all_the_same() -> None:
    assert first_of(observed(2, Condition.UNREACHED), observed(3, Condition.SICK, REFUSED)) == [(Action.STOP, 3)]


def test_what_a_server_speaks_of_is_its_highest_revision_that_is_not_closed() -> None:
    workloads = (observed(2, Condition.UNREACHED), observed(3, Condition.ENDED, REFUSED))
    speaking = ServerView("s", routed_to(None), workloads).speaking
    assert speaking and speaking.revision == 2


def test_what_ran_for_longer_than_a_start_may_take_is_brought_back() -> None:
    assert first_of(ended_after(seconds=21)) == [(Action.START, 1)]


def test_what_ended_soon_after_its_start_is_closed() -> None:
    assert first_of(ended_after(seconds=19)) == [(Action.CLOSE, 1)]


def test_what_hangs_is_left_alone_and_what_says_no_is_closed() -> None:
    assert first_of(observed(1, Condition.SILENT, age_s=1000)) == [(Action.WAIT, 1)]
    assert first_of(observed(1, Condition.SICK, age_s=1000)) == [(Action.CLOSE, 1)]


def test_a_failing_rollout_does_not_cost_the_revision_that_served(tmp_path: Path) -> None:
    harness = MemoryHarness(tmp_path)
    deployer = harness.deployer()
    server = deployer.deploy_model(harness.config("v1"), replace=True)
    harness.hang(server)
    deployer.gateway.remove("churn", deployer.gateway.routes()["churn"].tag)
    with pytest.raises(RevisionRefused):
        deployer.deploy_model(harness.config("v2", "exit"), replace=True, timeout=10)
    run = deployer.platform.workloads["churn", 1].run
    assert run
    run.hung = False
    harness.deployer().reconcile()
    (found,) = harness.deployer().find_model_server()
    assert (found.uuid, found.revision, found.state) == (server.uuid, 1, State.READY)
    assert found.message.startswith("revision 2 was refused")
