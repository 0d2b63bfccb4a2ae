from dataclasses import replace

import pytest

from deployer.engine import Wanted
from deployer.gateway import Route
from deployer.rollout.fate import STOPPED_DURING_ROLLOUT, Fate, fate_of
from deployer.rollout.plan import superseded_by
from deployer.rollout.view import Condition, Observed, ServerView
from tests.support.worlds import observed, routed_to

RUNNING, STOPPED, REFUSED = Wanted.RUNNING, Wanted.STOPPED, Wanted.REFUSED


def one(revision: int, wanted: Wanted = RUNNING) -> Observed:
    return observed(revision, Condition.READY, wanted)


def fate(route: Route, *workloads: Observed, has_served: bool = False) -> Fate:
    """Of revision 2, that somebody waits for."""
    return fate_of(ServerView("s", route, workloads), 2, "token-2", has_served)


def test_before_its_route_it_is_undecided() -> None:
    assert fate(routed_to(1), one(1), one(2)) is Fate.UNDECIDED


def test_in_the_route_it_serves() -> None:
    assert fate(routed_to(2), one(1), one(2)) is Fate.SERVES


def test_in_the_route_it_still_serves_while_a_later_one_is_on_its_way() -> None:
    assert fate(routed_to(2), one(2), one(3)) is Fate.SERVES


def test_a_later_open_one_supersedes_it_before_its_route() -> None:
    assert fate(routed_to(1), one(1), one(2), one(3)) is Fate.SUPERSEDED


def test_a_later_one_in_the_route_supersedes_it_when_it_never_served() -> None:
    assert fate(routed_to(3), one(2), one(3)) is Fate.SUPERSEDED
    assert fate(routed_to(3), one(3)) is Fate.SUPERSEDED


def test_a_later_one_in_the_route_replaces_it_when_it_served() -> None:
    assert fate(routed_to(3), one(3), has_served=True) is Fate.REPLACED
    assert fate(routed_to(3), one(2), one(3), has_served=True) is Fate.REPLACED


def test_deleted_before_it_was_routed_it_never_served() -> None:
    assert fate(routed_to(2), has_served=True) is Fate.DELETED


def test_refused_is_refused_when_nothing_later_stands() -> None:
    assert fate(routed_to(1, high=2), one(1), one(2, REFUSED)) is Fate.REFUSED
    assert fate(routed_to(1, high=3), one(1), one(2, REFUSED), one(3, REFUSED)) is Fate.REFUSED


def test_closed_for_a_later_one_it_was_superseded_though_that_was_refused_too() -> None:
    mine = replace(one(2, REFUSED), workload=replace(one(2, REFUSED).workload, cause=superseded_by(3)))
    assert fate(routed_to(1, high=3), one(1), mine, one(3, REFUSED)) is Fate.SUPERSEDED


def test_with_its_number_burnt_it_is_undecided_until_somebody_says_why() -> None:
    assert fate(routed_to(1, high=2), one(1), one(2)) is Fate.UNDECIDED
    assert fate(routed_to(1, high=2), one(1), one(2, REFUSED)) is Fate.REFUSED


def test_with_its_number_burnt_a_later_one_superseded_it_though_that_was_refused_too() -> None:
    assert fate(routed_to(1, high=3), one(1), one(2), one(3, REFUSED)) is Fate.SUPERSEDED


def test_refused_for_a_later_one_is_superseded() -> None:
    assert fate(routed_to(1, high=2), one(1), one(2, REFUSED), one(3)) is Fate.SUPERSEDED


@pytest.mark.parametrize("route", [routed_to(1), routed_to(2), routed_to(None)])
def test_a_stop_is_told_whether_it_serves_or_not(route: Route) -> None:
    assert fate(route, one(2, STOPPED)) is Fate.STOPPED


def test_closed_by_a_stop_it_was_stopped() -> None:
    mine = one(2, REFUSED)
    mine = replace(mine, workload=replace(mine.workload, cause=STOPPED_DURING_ROLLOUT))
    assert fate(routed_to(1, high=2), one(1, STOPPED), mine) is Fate.STOPPED


def test_gone_with_all_of_its_server_it_was_deleted() -> None:
    assert fate(routed_to(None)) is Fate.DELETED


def test_another_ones_workload_of_the_same_number_is_not_it() -> None:
    stranger = replace(one(2), workload=replace(one(2).workload, record=one(2).workload.record.model_copy()))
    other = stranger.workload.record.model_copy(update={"token": "another"})
    stranger = replace(stranger, workload=replace(stranger.workload, record=other))
    assert fate(routed_to(2), stranger) is Fate.DELETED
