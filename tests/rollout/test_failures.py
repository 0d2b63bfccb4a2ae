from dataclasses import replace

import pytest

from deployer.engine import Ending, Wanted
from deployer.rollout import failures
from deployer.rollout.view import Condition, Observed, ServerView
from tests.support.worlds import observed, routed_to

LOG = "loading\nTraceback: boom"


def log_tail(mine: Observed) -> str:
    return LOG


def view_of(condition: Condition, wanted: Wanted = Wanted.REFUSED) -> tuple[ServerView, Observed]:
    mine = observed(2, condition, wanted)
    return ServerView("s", routed_to(1, high=2), (observed(1, Condition.READY), mine)), mine


def test_a_refusal_tells_cause_status_exit_code_log_and_what_serves() -> None:
    view, mine = view_of(Condition.ENDED)
    error = failures.refused(view, "churn", mine, log_tail)
    assert error.what == "Revision 2 of churn was refused: a test says so."
    assert (error.status, error.exit_code, error.log_tail) == ("ended", 7, LOG)
    assert error.serving == "Revision 1 serves on as before."
    assert str(error).splitlines() == [
        "Revision 2 of churn was refused: a test says so.",
        "last log lines:",
        *LOG.splitlines(),
        "Revision 1 serves on as before.",
        "Mend the model or its config and deploy again; its whole log is kept until a later revision serves.",
    ]


@pytest.mark.parametrize("line", ["ModuleNotFoundError: No module named 'xgboost'", "No module named xgboost"])
def test_a_missing_package_is_what_the_hint_speaks_of(line: str) -> None:
    view, mine = view_of(Condition.ENDED)
    assert "install it" in failures.refused(view, "churn", mine, lambda _: line).hint


def test_a_refusal_that_could_not_be_written_down_tells_how_it_ended() -> None:
    unmarked = observed(2, Condition.ENDED)
    error = failures.refused(ServerView("s", routed_to(1, high=2), (unmarked,)), "churn", unmarked, lambda _: "")
    assert "was refused: exit code 7." in error.what


def test_a_lost_port_is_what_the_hint_speaks_of() -> None:
    view, mine = view_of(Condition.ENDED)
    lost = replace(mine, workload=replace(mine.workload, port_lost=True))
    assert "port" in failures.refused(view, "churn", lost, lambda _: "").hint


def test_want_of_memory_is_what_the_hint_speaks_of() -> None:
    view, mine = view_of(Condition.ENDED)
    ending = Ending(exit_code=-9, message="it was killed", ago_s=0, out_of_memory=True)
    killed = replace(mine, workload=replace(mine.workload, ending=ending))
    assert "Raise resources.memory" in failures.refused(view, "churn", killed, lambda _: "").hint


@pytest.mark.parametrize(
    ("condition", "said"),
    [
        (Condition.CREATED, "it has not been started"),
        (Condition.UNREACHED, "it runs and does not listen yet"),
        (Condition.SILENT, "it runs and does not answer"),
        (Condition.SICK, "it runs and its health check says no"),
        (Condition.READY, "it is ready and has yet to settle"),
    ],
)
def test_a_timeout_tells_how_far_it_came(condition: Condition, said: str) -> None:
    view, mine = view_of(condition, Wanted.RUNNING)
    error = failures.timed_out(view, "churn", mine, log_tail, seconds=2.5, closed=True)
    assert f"Revision 2 of churn was not ready within 2.5 s: {said}" in error.what
    assert error.what.endswith("It was closed and will not serve.")
    assert error.serving == "Revision 1 serves on as before." and error.log_tail == LOG and error.hint


def test_who_only_joined_a_rollout_is_told_that_it_goes_on() -> None:
    view, mine = view_of(Condition.UNREACHED, Wanted.RUNNING)
    assert failures.timed_out(view, "churn", mine, log_tail, seconds=1, closed=False).what.endswith("may serve yet.")


def test_what_serves_is_told_as_far_as_it_is_known() -> None:
    ready, silent = observed(1, Condition.READY), observed(1, Condition.SILENT)
    stopped = observed(1, Condition.ENDED, Wanted.STOPPED)
    told = [failures.still_serving(ServerView("s", routed_to(1), (o,))) for o in (ready, silent, stopped)]
    assert told == [
        "Revision 1 serves on as before.",
        "The route still names revision 1.",
        "Nothing serves behind its URL now.",
    ]
    assert failures.still_serving(ServerView("s", routed_to(None), (ready,))) == told[2]


@pytest.mark.parametrize(
    ("condition", "address", "told"),
    [
        (Condition.RUNNING, None, "Revision 1 still answers and is about to stop."),
        (Condition.RUNNING, "", "Nothing serves behind its URL now."),
        (Condition.ENDED, None, "Nothing serves behind its URL now."),
    ],
)
def test_what_was_stopped_answers_until_the_route_lets_go_of_it(
    condition: Condition, address: str | None, told: str
) -> None:
    stopped = observed(1, condition, Wanted.STOPPED)
    assert failures.still_serving(ServerView("s", routed_to(1, address=address), (stopped,))) == told


def test_one_that_is_ready_and_not_yet_routed_to_is_not_said_to_be_unready() -> None:
    mine = observed(1, Condition.READY)
    view = ServerView("s", routed_to(1, address=""), (mine,))
    error = failures.timed_out(view, "churn", mine, log_tail, seconds=1, closed=False)
    assert error.what.startswith(
        "Revision 1 of churn did not serve within 1 s: it is ready, and its URL is yet to lead"
    )


def test_while_a_revision_is_rolled_out_by_recreate_nothing_serves() -> None:
    held, new = observed(1, Condition.ENDED), observed(2, Condition.UNREACHED, rollout="recreate")
    told = failures.still_serving(ServerView("s", routed_to(1, address=""), (held, new)))
    assert told == "Nothing serves until revision 2 does: its rollout, recreate, causes an outage."


@pytest.mark.parametrize(
    ("serving", "address", "mine", "told"),
    [
        (Condition.READY, None, Condition.ENDED, "Revision 1 serves again, after the outage that the rollout recreate"),
        (Condition.READY, "", Condition.ENDED, "Nothing serves yet: reconcile brings revision 1 back after the outage"),
        (Condition.UNREACHED, "", Condition.SICK, "Nothing serves yet: reconcile brings revision 1 back after the"),
        (Condition.READY, None, Condition.CREATED, "Revision 1 serves."),
    ],
)
def test_what_made_room_in_vain_is_told_to_be_back_or_on_its_way(
    serving: Condition, address: str | None, mine: Condition, told: str
) -> None:
    failed = observed(2, mine, Wanted.REFUSED, rollout="recreate")
    view = ServerView("s", routed_to(1, high=2, address=address), (observed(1, serving), failed))
    assert failures.refused(view, "churn", failed, log_tail).serving.startswith(told)
    assert failures.timed_out(view, "churn", failed, log_tail, seconds=1, closed=True).serving.startswith(told)


def test_being_overtaken_stopped_or_deleted_each_says_what_to_do() -> None:
    view = ServerView("s", routed_to(3), (observed(3, Condition.READY),))
    superseded = failures.superseded(view, "churn", 2)
    assert "revision 2 of churn was overtaken by revision 3" in superseded.what.lower()
    assert superseded.serving == "Revision 3 serves on as before."
    stopped = failures.stopped(view, "churn", 2)
    assert "stopped while revision 2" in stopped.what and "Start the server" in stopped.hint
    deleted = failures.deleted("churn", 2)
    assert "deleted while revision 2" in deleted.what and "Deploy again" in deleted.hint
