from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from deployer.config import ModelServerConfig, Provenance
from deployer.engine import Ending, Wanted
from deployer.records.history import entry_of
from deployer.records.record import Image, Outcome
from deployer.registry import Filters, kept_digests, kept_images, model_server, newest_first
from deployer.rollout.view import Condition, Observed, ServerView
from deployer.server import State
from tests.support.worlds import LONG_AGO, observed, record, routed_to

RUNNING, STOPPED, REFUSED = Wanted.RUNNING, Wanted.STOPPED, Wanted.REFUSED


def told(view: ServerView) -> tuple[State, str]:
    server = model_server(view, "http://gateway/s")
    return server.state, server.message


def serving(condition: Condition, wanted: Wanted = RUNNING, **fields: Any) -> ServerView:
    return ServerView("s", routed_to(1), (observed(1, condition, wanted, **fields),))


def at_another_address(condition: Condition) -> ServerView:
    return replace(serving(condition), route=routed_to(1, address=""))


def before_it_serves(condition: Condition, wanted: Wanted = RUNNING, high: int = 0) -> ServerView:
    return ServerView("s", routed_to(None, high), (observed(1, condition, wanted),))


def ended(ago_s: float) -> Ending:
    return Ending(exit_code=-9, message="killed by SIGKILL", ago_s=ago_s)


@pytest.mark.parametrize(
    ("view", "state", "message"),
    [
        (serving(Condition.READY), State.READY, ""),
        (serving(Condition.CREATED), State.PENDING, "about to be started"),
        (serving(Condition.UNREACHED), State.PENDING, "it is starting"),
        (serving(Condition.UNREACHED, age_s=21), State.FAILED, "its health check says no"),
        (serving(Condition.SICK), State.FAILED, "its health check says no"),
        (serving(Condition.SILENT), State.UNKNOWN, "did not answer its health check in time"),
        (serving(Condition.RUNNING), State.UNKNOWN, "did not answer its health check in time"),
        (serving(Condition.ENDED), State.FAILED, "exit code 7; reconcile or start brings it back"),
        (serving(Condition.ENDED, starts=3, ending=ended(2)), State.FAILED, "reconcile starts it again in 6 s"),
        (serving(Condition.ENDED, starts=6, ending=ended(999)), State.FAILED, "given up after 6 starts"),
        (serving(Condition.ENDED, STOPPED), State.STOPPED, ""),
        (serving(Condition.READY, STOPPED), State.STOPPED, "about to stop"),
        (at_another_address(Condition.READY), State.PENDING, "its URL is yet to lead to it"),
        (before_it_serves(Condition.CREATED), State.PENDING, "created and not started yet: reconcile"),
        (before_it_serves(Condition.UNREACHED), State.PENDING, "takes no traffic yet: reconcile"),
        (before_it_serves(Condition.ENDED), State.FAILED, "it ended before it served: exit code 7"),
        (before_it_serves(Condition.ENDED, REFUSED, high=1), State.FAILED, "revision 1 was refused: a test says so"),
        (before_it_serves(Condition.ENDED, STOPPED), State.STOPPED, ""),
    ],
)
def test_state_and_message_follow_from_what_was_seen(view: ServerView, state: State, message: str) -> None:
    assert told(view)[0] is state
    assert message in told(view)[1] and bool(message) == bool(told(view)[1])


def test_a_rollout_under_way_shows_beside_what_serves() -> None:
    view = ServerView("s", routed_to(1), (observed(1, Condition.READY), observed(2, Condition.UNREACHED)))
    state, message = told(view)
    assert state is State.READY and message.startswith("revision 2 is on its way") and "reconcile" in message
    assert model_server(view, "").revision == 1


def test_the_newest_refusal_shows_beside_what_serves() -> None:
    refused = observed(2, Condition.ENDED, REFUSED)
    view = ServerView("s", routed_to(1, high=2), (observed(1, Condition.READY), refused))
    assert told(view) == (State.READY, "revision 2 was refused: a test says so")


def test_a_refusal_that_nobody_came_to_write_down_is_told_as_far_as_it_is_known() -> None:
    unmarked, silent = observed(2, Condition.ENDED, cause=""), observed(2, Condition.RUNNING, cause="")
    beside = [ServerView("s", routed_to(1, high=2), (observed(1, Condition.READY), o)) for o in (unmarked, silent)]
    alone = ServerView("s", routed_to(None, high=2), (unmarked,))
    assert [told(view)[1] for view in (*beside, alone)] == [
        "revision 2 was refused: exit code 7",
        "revision 2 was refused: whoever closed it did not come to say why",
        "revision 2 was refused: exit code 7",
    ]


@pytest.mark.parametrize("condition", [Condition.READY, Condition.RUNNING, Condition.ENDED])
def test_what_makes_room_is_pending_and_says_that_this_is_an_outage(condition: Condition) -> None:
    new = observed(2, Condition.UNREACHED, rollout="recreate")
    view = ServerView("s", routed_to(1, address=""), (observed(1, condition), new))
    state, message = told(view)
    assert state is State.PENDING and model_server(view, "").revision == 1
    assert message.startswith("nothing serves until a new revision does") and "outage" in message
    assert "revision 2 is on its way" in message and "reconcile" in message


def test_both_show_where_what_serves_is_dead() -> None:
    view = ServerView("s", routed_to(1), (observed(1, Condition.ENDED), observed(2, Condition.UNREACHED)))
    state, message = told(view)
    assert state is State.FAILED and "brings it back; revision 2 is on its way" in message


def test_a_server_tells_of_the_revision_that_the_route_names() -> None:
    server = model_server(serving(Condition.READY), "http://gateway/s")
    assert (server.uuid, server.name, server.revision, server.digest) == (record(1).uuid, "s", 1, "digest-1")
    assert (server.url, server.prediction_url) == ("http://gateway/s", "http://gateway/s/invocations")
    assert (server.created_at, server.deployed_at, server.protocol) == (LONG_AGO, LONG_AGO, "mlflow")


def test_a_record_whose_runtime_is_not_known_here_is_still_told_of() -> None:
    only = with_record(observed(1, Condition.READY), config=record(1).config.model_copy(update={"runtime": "newer"}))
    server = model_server(ServerView("s", routed_to(1), (only,)), "http://gateway/s")
    assert (server.prediction_url, server.protocol, server.state) == ("http://gateway/s/", "", State.READY)


def test_servers_come_newest_first_and_ties_by_uuid() -> None:
    server = model_server(serving(Condition.READY), "")
    older = replace(server, created_at=LONG_AGO - timedelta(days=1))
    twin = replace(server, uuid=UUID(int=2))
    assert newest_first([older, server, twin]) == [twin, server, older]


PROVENANCE = Provenance(pipeline_name="train", pipeline_run_id="run", pipeline_step_name="deploy")
FOUND = record(1).model_copy(
    update={
        "config": ModelServerConfig(model_uri="models/churn", model_name="churn", provenance=PROVENANCE),
        "model_type": "sklearn",
    }
)
FILTERS = {
    "service_uuid": FOUND.uuid,
    "pipeline_name": "train",
    "pipeline_run_id": "run",
    "pipeline_step_name": "deploy",
    "model_name": "churn",
    "model_uri": "models/churn",
    "model_type": "sklearn",
}


def test_no_filter_matches_all_and_every_filter_its_own() -> None:
    assert Filters().match(FOUND)
    assert Filters(**FILTERS).match(FOUND)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", FILTERS)
def test_one_filter_that_does_not_match_is_enough(name: str) -> None:
    other = UUID(int=99) if name == "service_uuid" else "other"
    assert Filters(**{name: FILTERS[name]}).match(FOUND)  # type: ignore[arg-type]
    assert not Filters(**(FILTERS | {name: other})).match(FOUND)  # type: ignore[arg-type]


def test_an_empty_filter_matches_what_has_no_value() -> None:
    assert not Filters(pipeline_name="").match(FOUND)
    assert Filters(pipeline_name="").match(record(1))


def with_record(o: Observed, **changes: object) -> Observed:
    return replace(o, workload=replace(o.workload, record=o.workload.record.model_copy(update=changes)))


def test_kept_are_the_digests_that_serve_and_the_newest_that_served() -> None:
    outcomes = {1: Outcome.SERVED, 2: Outcome.SERVED, 3: Outcome.REFUSED, 4: Outcome.SERVED}
    history = tuple(entry_of(record(number), outcome, "") for number, outcome in outcomes.items())
    view = ServerView("s", routed_to(5), (with_record(observed(5, Condition.READY), history=history),))
    assert kept_digests([view], 1) == {"digest-5"}
    assert kept_digests([view], 3) == {"digest-5", "digest-4", "digest-2"}


def test_kept_are_the_images_of_what_is_there_and_of_the_newest_that_served() -> None:
    def image(number: int) -> Image:
        return Image(reference="churn:1", id=f"image-{number}", port=80)

    served = (entry_of(record(number), Outcome.SERVED, "") for number in (1, 2, 3))
    history = tuple(entry.model_copy(update={"image": image(entry.number)}) for entry in served)
    there = with_record(observed(4, Condition.READY), image=image(4), history=history)
    view = ServerView("s", routed_to(4), (there,))
    assert kept_images([view], 1) == {"image-4"}
    assert kept_images([view], 3) == {"image-4", "image-3", "image-2"}


def test_kept_are_the_digests_of_a_stopped_server_and_of_what_was_refused_last() -> None:
    stopped = observed(1, Condition.ENDED, STOPPED)
    refused = observed(2, Condition.ENDED, REFUSED)
    view = ServerView("s", routed_to(1, high=2, address=""), (stopped, refused))
    assert kept_digests([view], 1) == {"digest-1", "digest-2"}
