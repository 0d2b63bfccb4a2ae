"""What the plan says in the cases that matter most."""

from dataclasses import replace
from uuid import UUID

import pytest

from deployer.engine import Ending, Wanted
from deployer.gateway import Route
from deployer.records.record import SupersededServer
from deployer.rollout.plan import GIVE_UP_AFTER_STARTS, LONGEST_BACK_OFF_S, back_off_s, given_up, plan, superseded_by
from deployer.rollout.steps import Action
from deployer.rollout.view import Condition, Observed, ServerView
from tests.support.worlds import observed, record, restarted_when_hung, routed_to


def first(route: Route, *workloads: Observed) -> tuple[Action, int] | None:
    steps = plan(ServerView("s", route, workloads))
    return (steps[0].action, steps[0].ref.revision) if steps and steps[0].ref else None


def ended(revision: int, *, starts: int, ago_s: float = 100, ran_s: float = 1, port_lost: bool = False) -> Observed:
    ending = Ending(exit_code=7, message="exit code 7", ago_s=ago_s)
    age_s = ran_s + ago_s
    return observed(revision, Condition.ENDED, starts=starts, age_s=age_s, ending=ending, port_lost=port_lost)


def test_a_created_revision_is_started() -> None:
    assert first(routed_to(None), observed(1, Condition.CREATED)) == (Action.START, 1)


def test_a_ready_revision_settles_before_it_takes_traffic() -> None:
    serving = observed(1, Condition.READY)
    assert first(routed_to(1), serving, observed(2, Condition.READY, ready_s=0.5)) == (Action.WAIT, 2)
    assert first(routed_to(1), serving, observed(2, Condition.READY, ready_s=1.5)) == (Action.ROUTE, 2)


def test_the_old_revision_is_retired_only_once_the_route_has_left_it() -> None:
    both = observed(1, Condition.READY), observed(2, Condition.READY)
    assert first(routed_to(2), *both) == (Action.RETIRE, 1)


@pytest.mark.parametrize("condition", [Condition.UNREACHED, Condition.SILENT, Condition.SICK])
def test_a_revision_that_is_not_ready_is_waited_for_within_its_budget_and_closed_beyond(condition: Condition) -> None:
    serving = observed(1, Condition.READY)
    assert first(routed_to(1), serving, observed(2, condition, age_s=19)) == (Action.WAIT, 2)
    assert first(routed_to(1), serving, observed(2, condition, age_s=21)) == (Action.CLOSE, 2)


def test_a_revision_that_ended_before_it_was_ready_is_closed_with_its_exit_code() -> None:
    (step, *_) = plan(ServerView("s", routed_to(1), (observed(1, Condition.READY), ended(2, starts=1))))
    assert (step.action, step.cause) == (Action.CLOSE, "it ended before it was ready: exit code 7")


def test_a_revision_that_was_stopped_before_it_served_is_started_when_it_is_wanted_again() -> None:
    assert first(routed_to(None), ended(1, starts=0)) == (Action.START, 1)


def test_a_revision_whose_port_was_taken_is_started_once_more_only() -> None:
    assert first(routed_to(None), ended(1, starts=1, port_lost=True)) == (Action.START, 1)
    assert first(routed_to(None), ended(1, starts=2, port_lost=True)) == (Action.CLOSE, 1)


def test_a_server_that_died_is_brought_back_at_once_and_then_ever_later() -> None:
    assert first(routed_to(1), ended(1, starts=1, ago_s=0)) == (Action.START, 1)
    assert first(routed_to(1), ended(1, starts=3, ago_s=7)) is None
    assert first(routed_to(1), ended(1, starts=3, ago_s=9)) == (Action.START, 1)


@pytest.mark.parametrize(("starts", "pause_s"), [(0, 0), (1, 0), (2, 4), (3, 8), (4, 16), (5, 32)])
def test_each_pause_is_twice_as_long_until_it_is_given_up(starts: int, pause_s: float) -> None:
    assert back_off_s(ended(1, starts=starts, ago_s=0)) == pause_s
    assert back_off_s(ended(1, starts=starts, ago_s=1)) == max(0, pause_s - 1)
    assert given_up(ended(1, starts=starts)) is False
    assert first(routed_to(1), ended(1, starts=starts, ago_s=pause_s)) == (Action.START, 1)


def test_no_pause_is_longer_than_a_minute() -> None:
    assert back_off_s(ended(1, starts=20, ago_s=0)) == LONGEST_BACK_OFF_S


def test_a_server_that_dies_again_and_again_is_given_up() -> None:
    assert first(routed_to(1), ended(1, starts=GIVE_UP_AFTER_STARTS, ago_s=10_000)) is None


def test_a_server_that_ran_for_long_before_each_end_is_never_given_up() -> None:
    often = GIVE_UP_AFTER_STARTS + 1
    assert first(routed_to(1), ended(1, starts=often, ago_s=0, ran_s=21)) == (Action.START, 1)
    assert first(routed_to(1), ended(1, starts=often, ago_s=0, ran_s=19)) is None


def test_a_server_that_many_reboots_ended_is_never_given_up() -> None:
    ending = Ending(exit_code=None, message="nobody saw it", ago_s=100)
    rebooted = observed(1, Condition.ENDED, starts=GIVE_UP_AFTER_STARTS + 1, age_s=100, ending=ending)
    assert first(routed_to(1), rebooted) == (Action.START, 1)


def test_a_hung_server_is_left_alone() -> None:
    assert first(routed_to(1), observed(1, Condition.SILENT, age_s=1)) is None


def hung(revision: int = 1, *, silent_s: float | None, age_s: float = 21) -> Observed:
    """It is started within 20 s, and may hang for 10."""
    silent = observed(revision, Condition.SILENT, silent_s=silent_s, age_s=age_s)
    return restarted_when_hung(silent, 10)


def test_that_a_server_hangs_is_noted_where_it_is_to_be_restarted() -> None:
    assert first(routed_to(1), hung(silent_s=None)) == (Action.NOTE_SILENCE, 1)
    assert first(routed_to(1), hung(silent_s=9)) is None
    assert first(routed_to(1), hung(silent_s=10)) == (Action.KILL, 1)


def test_a_server_that_hangs_while_it_may_be_starting_is_left_alone() -> None:
    assert first(routed_to(1), hung(silent_s=19, age_s=20)) is None


@pytest.mark.parametrize("condition", [Condition.READY, Condition.SICK])
def test_a_server_that_answers_again_is_silent_no_more(condition: Condition) -> None:
    answers = restarted_when_hung(observed(1, condition, silent_s=99, age_s=200), 10)
    assert first(routed_to(1), answers) == (Action.FORGET_SILENCE, 1)


@pytest.mark.parametrize("condition", [Condition.UNREACHED, Condition.RUNNING])
def test_a_server_of_which_nothing_was_heard_stays_as_it_was_noted(condition: Condition) -> None:
    assert first(routed_to(1), restarted_when_hung(observed(1, condition, silent_s=99, age_s=200), 10)) is None


def test_what_takes_no_traffic_is_never_restarted_for_hanging() -> None:
    """It is on its way, and its startup budget decides; or it is stopped, or held for a `recreate`."""
    assert first(routed_to(1), observed(1, Condition.READY), hung(2, silent_s=99)) == (Action.CLOSE, 2)
    stopped = replace(hung(silent_s=99), workload=replace(hung(silent_s=99).workload, wanted=Wanted.STOPPED))
    assert first(routed_to(1, address=""), stopped) == (Action.RETIRE, 1)
    above = observed(2, Condition.CREATED, rollout="recreate")
    assert first(routed_to(1, address=""), hung(silent_s=99), above) == (Action.RETIRE, 1)


def test_what_was_killed_as_it_hung_is_started_at_once_however_often() -> None:
    killed = Ending(exit_code=-9, message="killed", ago_s=0)
    often = observed(1, Condition.ENDED, starts=GIVE_UP_AFTER_STARTS + 1, age_s=21, ending=killed)
    assert first(routed_to(1), restarted_when_hung(often, 10)) == (Action.START, 1)


def test_a_lost_route_is_rebuilt_before_anything_is_closed() -> None:
    lost = first(routed_to(None), observed(1, Condition.READY), observed(2, Condition.UNREACHED))
    assert lost == (Action.ROUTE, 1)


def test_a_new_address_is_routed_for_the_same_revision() -> None:
    (step,) = plan(ServerView("s", routed_to(1, address="http://old"), (observed(1, Condition.READY),)))
    assert step.action is Action.ROUTE and step.backend and step.backend.address == "http://1"


def test_a_stopped_server_leaves_its_route_before_it_is_stopped() -> None:
    stopped = observed(1, Condition.RUNNING, Wanted.STOPPED)
    (step,) = plan(ServerView("s", routed_to(1), (stopped,)))
    assert step.action is Action.ROUTE and step.backend and step.backend.address == ""
    assert first(routed_to(1, address=""), stopped) == (Action.RETIRE, 1)
    assert first(routed_to(1, address=""), observed(1, Condition.ENDED, Wanted.STOPPED)) is None


def test_a_stopped_server_whose_route_was_lost_says_again_that_it_is_stopped() -> None:
    (step,) = plan(ServerView("s", routed_to(None), (observed(1, Condition.ENDED, Wanted.STOPPED),)))
    assert (step.action, step.backend) == (Action.ROUTE, None)


def test_a_deploy_after_a_stop_starts_the_new_revision_and_not_the_old() -> None:
    stopped = observed(1, Condition.ENDED, Wanted.STOPPED)
    assert first(routed_to(1, address=""), stopped, observed(2, Condition.CREATED)) == (Action.START, 2)


def test_what_was_overtaken_is_closed() -> None:
    overtaken, later = observed(2, Condition.UNREACHED), observed(3, Condition.UNREACHED)
    assert first(routed_to(1), observed(1, Condition.READY), overtaken, later) == (Action.CLOSE, 2)


def test_a_close_that_broke_off_is_finished_so_that_its_log_is_kept_and_its_history_is_true() -> None:
    serving, burnt = observed(1, Condition.READY), observed(2, Condition.SICK)
    assert first(routed_to(1, high=2), serving, burnt) == (Action.CLOSE, 2)
    assert first(routed_to(1), serving, observed(2, Condition.SICK, Wanted.REFUSED)) == (Action.CLOSE, 2)
    assert first(routed_to(1, high=2), serving, observed(2, Condition.SICK, Wanted.REFUSED)) == (Action.STOP, 2)


def test_a_close_that_broke_off_is_put_down_to_the_revision_that_came_later() -> None:
    serving, later = observed(1, Condition.READY), observed(3, Condition.ENDED, Wanted.REFUSED)
    view = ServerView("s", routed_to(1, high=3), (serving, observed(2, Condition.READY), later))
    assert plan(view)[0].cause == superseded_by(3)


def test_only_the_newest_refused_revision_is_kept_and_only_until_a_later_one_serves() -> None:
    refused = [observed(n, Condition.ENDED, Wanted.REFUSED) for n in (2, 3)]
    assert first(routed_to(1, high=3), observed(1, Condition.READY), *refused) == (Action.DELETE, 2)
    assert first(routed_to(1, high=3), observed(1, Condition.READY), refused[1]) is None
    assert first(routed_to(4), refused[1], observed(4, Condition.READY)) == (Action.DELETE, 3)


def test_a_revision_of_a_deleted_server_of_the_same_name_is_closed_and_removed_and_the_other_speaks() -> None:
    deleted = record(2).model_copy(update={"uuid": UUID(int=2)})
    serving, created = observed(1, Condition.READY), observed(2, Condition.CREATED, record=deleted)
    view = ServerView("s", routed_to(1), (serving, created))
    assert (view.speaking, view.target) == (serving, serving)
    assert first(view.route, *view.workloads) == (Action.CLOSE, 2)
    refused = observed(2, Condition.CREATED, Wanted.REFUSED, record=deleted)
    assert first(routed_to(1, high=2), serving, refused) == (Action.DELETE, 2)


def test_a_superseded_server_goes_once_the_revision_serves_and_only_at_the_revision_it_stood_at() -> None:
    other = UUID(int=2)
    superseding = record(1, (SupersededServer(uuid=other, revision=3),))
    ready = observed(1, Condition.READY, record=superseding)
    view = ServerView("s", routed_to(None), (ready,), {other: 3})
    assert [step.action for step in plan(view)] == [Action.ROUTE]
    assert [step.superseded for step in plan(replace(view, route=routed_to(1)))] == [other]
    assert not plan(replace(view, route=routed_to(1), elsewhere={other: 4}))


def test_what_serves_makes_room_for_a_rollout_recreate_step_by_step() -> None:
    serving, created = observed(1, Condition.READY), observed(2, Condition.CREATED, rollout="recreate")
    (step,) = plan(ServerView("s", routed_to(1), (serving, created)))
    assert step.action is Action.ROUTE and step.backend and (step.backend.revision, step.backend.address) == (1, "")
    assert "an outage until that serves" in step.cause
    assert first(routed_to(1, address=""), serving, created) == (Action.RETIRE, 1)
    gone = observed(1, Condition.ENDED, starts=0)
    assert first(routed_to(1, address=""), gone, created) == (Action.START, 2)
    starting, ready = (observed(2, c, rollout="recreate") for c in (Condition.UNREACHED, Condition.READY))
    assert first(routed_to(1, address=""), gone, starting) == (Action.WAIT, 2)
    assert first(routed_to(1, address=""), gone, ready) == (Action.ROUTE, 2)


def test_what_made_room_is_healed_once_what_it_made_room_for_is_refused_and_gone() -> None:
    gone, resting = observed(1, Condition.ENDED, starts=0), routed_to(1, high=2, address="")
    refused = observed(2, Condition.UNREACHED, Wanted.REFUSED, rollout="recreate")
    assert first(resting, gone, refused) == (Action.STOP, 2)
    ended = observed(2, Condition.ENDED, Wanted.REFUSED, rollout="recreate")
    assert first(resting, gone, ended) == (Action.START, 1)
    (step,) = plan(ServerView("s", resting, (observed(1, Condition.READY), ended)))
    assert step.action is Action.ROUTE and step.backend and step.backend.address == "http://1"


def test_a_stop_that_fails_keeps_nothing_that_made_room_from_being_healed() -> None:
    gone = observed(1, Condition.ENDED, starts=0)
    refused = observed(2, Condition.SICK, Wanted.REFUSED, rollout="recreate")
    steps = plan(ServerView("s", routed_to(1, high=2, address=""), (gone, refused)))
    assert [step.action for step in steps] == [Action.STOP, Action.START]


def test_a_rollout_recreate_starts_nothing_while_anything_else_runs() -> None:
    created = observed(3, Condition.CREATED, rollout="recreate")
    overtaken = observed(2, Condition.UNREACHED)
    steps = plan(ServerView("s", routed_to(1, address=""), (observed(1, Condition.ENDED), overtaken, created)))
    assert [step.action for step in steps] == [Action.CLOSE]


def test_a_rollout_replace_over_a_rollout_recreate_ends_that_one_then_brings_back_what_made_room() -> None:
    gone, later = observed(1, Condition.ENDED, starts=0), observed(3, Condition.CREATED)
    overtaken = observed(2, Condition.UNREACHED, rollout="recreate")
    assert first(routed_to(1, address=""), gone, overtaken, later) == (Action.CLOSE, 2)
    refused = observed(2, Condition.UNREACHED, Wanted.REFUSED, rollout="recreate")
    assert first(routed_to(1, high=2, address=""), gone, refused, later) == (Action.STOP, 2)
    ended = observed(2, Condition.ENDED, Wanted.REFUSED, rollout="recreate")
    steps = plan(ServerView("s", routed_to(1, high=2, address=""), (gone, ended, later)))
    assert [(step.action, step.ref and step.ref.revision) for step in steps] == [(Action.START, 3), (Action.START, 1)]


def test_what_serves_by_a_rollout_recreate_is_healed_like_any_other() -> None:
    assert first(routed_to(1), observed(1, Condition.ENDED, rollout="recreate")) == (Action.START, 1)


def test_a_route_without_a_workload_is_removed() -> None:
    (step,) = plan(ServerView("s", routed_to(1), ()))
    assert step.action is Action.UNROUTE


def test_what_serves_is_kept_alive_by_its_platform_once_its_route_stands() -> None:
    ready = observed(2, Condition.READY)
    new = replace(ready, workload=replace(ready.workload, kept_alive=False))
    assert first(routed_to(2), new) == (Action.KEEP_ALIVE, 2)
    assert first(routed_to(1), observed(1, Condition.READY), new) == (Action.ROUTE, 2)
    assert first(routed_to(2), ready) is None


def test_what_its_platform_is_about_to_start_again_is_left_to_it() -> None:
    dead = observed(1, Condition.ENDED)
    assert first(routed_to(1), dead) == (Action.START, 1)
    assert first(routed_to(1), replace(dead, workload=replace(dead.workload, comes_back=True))) is None
