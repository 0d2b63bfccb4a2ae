"""Scenarios 25 and 34 with real signals in any operation: deployers struck side by side, each about its own servers."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from deployer.errors import Superseded
from deployer.testing.faults import Killed
from deployer.testing.harness import Harness
from deployer.testing.meanwhile import MEANWHILE, OTHER
from deployer.testing.operations import OPERATIONS
from deployer.testing.side_by_side import THREADS, Case, Points, side_by_side

OTHERS = {operation.name: operation for operation in OPERATIONS if operation.name != "replace"}
"""Than a replace, which has tests of its own in `killed`."""
OVERTAKEN = ("rollback", "replace of several equivalents", "reconcile")
REPLACES = MEANWHILE["replaces"]


@pytest.mark.parametrize("name", OTHERS)
def test_25_a_deployer_killed_for_real_in_any_operation_leaves_what_reconcile_ends(harness: Harness, name: str) -> None:
    points = Points.of(harness, OTHERS[name])
    for strikes in points.kills():
        with side_by_side(harness, points.operation, strikes) as cases:
            for case in cases:
                with pytest.raises(Killed):
                    case.victim.told()
            assert harness.deployer().reconcile().failed == ()
            for case in cases:
                assert case.stage.ends() == points.end(case.strike), case


@pytest.mark.parametrize("name", [name for name in OTHERS if name not in OVERTAKEN])
def test_34_a_deployer_frozen_for_real_in_any_operation_comes_to_its_end_beside_a_reconcile(
    harness: Harness, name: str
) -> None:
    points = Points.of(harness, OTHERS[name])
    for strikes in points.freezes(tries=1):
        with side_by_side(harness, points.operation, strikes) as cases:
            assert all([case.victim.frozen() for case in cases])
            assert harness.deployer().reconcile().failed == ()
            for case in cases:
                case.victim.thaw()
            for case in cases:
                _assert_comes_to_its_end(case)
            for case in cases:
                assert case.stage.ends() == case.operation.ends[0], case


@pytest.mark.parametrize("name", OVERTAKEN)
def test_34_a_deployer_frozen_for_real_while_another_replaces_is_told_and_fails_no_request(
    harness: Harness, name: str
) -> None:
    points = Points.of(harness, OTHERS[name])
    for strikes in points.freezes():
        with side_by_side(harness, points.operation, strikes) as cases:
            assert all([case.victim.frozen() for case in cases])
            with ThreadPoolExecutor(THREADS) as pool:
                list(pool.map(lambda case: case.stage.deploy(OTHER), cases))
            for case in cases:
                case.victim.thaw()
            for case in cases:
                _assert_told_of_the_other(case, points)
            for case in cases:
                wins = "engine.create" in points.changes and not points.passed("engine.create", case.strike)
                ends = case.operation.ends[0] if wins else REPLACES.end(case.operation)
                assert case.stage.ends() == ends, case


def _assert_comes_to_its_end(case: Case) -> None:
    if not case.operation.raises:
        case.victim.told()
        return
    with pytest.raises(case.operation.raises):
        case.victim.told()


def _assert_told_of_the_other(case: Case, points: Points) -> None:
    """The later create wins; what took traffic before is no failure."""
    created, routed = (points.passed(call, case.strike) for call in ("engine.create", "gateway.write"))
    if created and not routed:
        with pytest.raises(Superseded):
            case.victim.told()
    else:
        case.victim.told()
