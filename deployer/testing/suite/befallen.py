"""Scenarios 25, 30 and 34: deployers that die, stand still, or meet a platform that fails, at any call of theirs."""

from collections.abc import Iterator

import pytest

from deployer.errors import Superseded
from deployer.testing.faults import nth
from deployer.testing.harness import Harness
from deployer.testing.operations import OPERATIONS, Operation, calls_of
from deployer.testing.trials import BEFALLINGS, Trial, Trier

FIRST_DEPLOY, REPLACE, REFUSED = (
    next(operation for operation in OPERATIONS if operation.name == name)
    for name in ("first deploy", "replace", "replace, refused")
)
BEFORE_ITS_ROUTE = {("engine.create", "after"), ("engine.start", "before"), ("engine.start", "after")} | {
    ("gateway.write", "before")
}
BEFORE_ITS_END = {
    REPLACE.name: BEFORE_ITS_ROUTE,
    REFUSED.name: BEFORE_ITS_ROUTE | {("gateway.write", "after"), ("engine.mark", "before"), ("engine.mark", "after")},
}
"""Until when it can be overtaken: a replace until it takes traffic, one in vain until its caller is told why."""


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("operation", [FIRST_DEPLOY, REPLACE, REFUSED], ids=lambda operation: operation.name)
def test_25_wherever_a_deployer_dies_reconcile_leaves_exactly_one_server(
    harness: Harness, operation: Operation, moment: str
) -> None:
    for name, trier in _triers(harness, operation):
        _assert_right(trier.with_reconcile(BEFALLINGS[f"dies {moment}"](nth(name))), name)


@pytest.mark.parametrize("moment", ["before", "after"])
def test_25_wherever_a_deployer_dies_the_next_deploy_comes_to_its_end(harness: Harness, moment: str) -> None:
    for name, trier in _triers(harness, REPLACE):
        _assert_right(trier.with_another_try(BEFALLINGS[f"dies {moment}"](nth(name))), name)


@pytest.mark.parametrize("operation", [REPLACE, REFUSED], ids=lambda operation: operation.name)
@pytest.mark.parametrize("failure", ["fails once", "loses its answer once", "fails for good", "is late"])
def test_30_a_platform_that_fails_loses_no_server_and_makes_no_second_one(
    harness: Harness, failure: str, operation: Operation
) -> None:
    for name, trier in _triers(harness, operation, reads=operation is REPLACE):
        _assert_right(trier.with_reconcile(BEFALLINGS[failure](nth(name))), name)


@pytest.mark.parametrize("operation", [REPLACE, REFUSED], ids=lambda operation: operation.name)
@pytest.mark.parametrize("moment", ["before", "after"])
def test_34_a_deployer_that_wakes_after_another_replaced_is_told_and_leaves_nothing(
    harness: Harness, moment: str, operation: Operation
) -> None:
    for name, trier in _triers(harness, operation):
        trial = trier.with_reconcile(BEFALLINGS[f"is frozen {moment}"](nth(name)))
        overtaken = (name, moment) in BEFORE_ITS_END[operation.name]
        _assert_right(trial, name)
        assert isinstance(trial.told.raised, Superseded) == overtaken, (name, trial.told)


def _triers(harness: Harness, operation: Operation, reads: bool = False) -> Iterator[tuple[str, Trier]]:
    """One for the first call of each name that the operation makes, of those that may change something or of all."""
    calls = calls_of(harness, operation, "seen")
    names = dict.fromkeys(call.name for call in calls if call.changes or reads)
    for number, name in enumerate(names):
        yield name, Trier(harness, operation, f"at-{number:02}")
        for server in harness.deployer().find_model_server():
            harness.deployer().delete_model_server(server.uuid, force=True)


def _assert_right(trial: Trial, name: str) -> None:
    assert trial.befell, f"no {name} was called"
    assert not trial.wrong, f"{trial.befell}; its caller was told {trial.told}"
