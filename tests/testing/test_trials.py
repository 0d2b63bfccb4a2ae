"""Whatever befalls a deployer, at whichever call of whatever it does: nothing lost, nobody lied to."""

from collections.abc import Callable
from itertools import count, takewhile
from pathlib import Path

import pytest

from deployer.testing.faults import At, nth, numbered
from deployer.testing.meanwhile import MEANWHILE
from deployer.testing.memory import MemoryHarness
from deployer.testing.operations import OPERATIONS, Deploying, Operation, calls_of
from deployer.testing.told import AFault
from deployer.testing.trials import BEFALLINGS, Trial, Trier

DEPLOYS = [operation for operation in OPERATIONS if isinstance(operation.act, Deploying)]
DEPLOYS_OF_ONE = [operation for operation in DEPLOYS if not operation.raises and not operation.target]
FAILURES = ["fails once", "loses its answer once", "fails for good", "loses its answers for good"]
BEFALLS = [*FAILURES, "dies before", "is frozen before"]
"""To die or stand still after a call is to do so before the next; to be late is to stand still while nobody acts."""
BREAKS_OFF = [*FAILURES[1:], "dies before"]
ALSO_MEANWHILE = [
    *((operation, "reconciles") for operation in OPERATIONS),
    *((operation, "reconciles, then replaces") for operation in DEPLOYS),
    *((operation, other) for operation in DEPLOYS_OF_ONE for other in ("stops", "deletes")),
]


@pytest.mark.parametrize("befalling", BEFALLS)
@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
def test_whatever_befalls_a_deployer_at_any_call_a_reconcile_sets_right(
    tmp_path: Path, operation: Operation, befalling: str
) -> None:
    _try_at_each_call(tmp_path, operation, befalling, Trier.with_reconcile)


@pytest.mark.parametrize("befalling", BREAKS_OFF)
@pytest.mark.parametrize("operation", DEPLOYS, ids=lambda operation: operation.name)
def test_wherever_a_deploy_breaks_off_the_next_of_the_same_comes_to_its_end(
    tmp_path: Path, operation: Operation, befalling: str
) -> None:
    _try_at_each_call(tmp_path, operation, befalling, Trier.with_another_try)


@pytest.mark.parametrize(
    ("operation", "other"), ALSO_MEANWHILE, ids=[f"{operation.name}-{other}" for operation, other in ALSO_MEANWHILE]
)
def test_wherever_a_deployer_is_frozen_while_another_acts_it_is_told_the_truth(
    tmp_path: Path, operation: Operation, other: str
) -> None:
    _try_at_each_call(tmp_path, operation, "is frozen before", Trier.with_reconcile, other)


def _try_at_each_call(
    folder: Path,
    operation: Operation,
    befalling: str,
    tried: Callable[[Trier, AFault], Trial],
    meanwhile: str = "replaces",
) -> None:
    """Until the operation makes no further call; as who waits makes now more, now less, each name is tried too.

    Args:
        tried: what comes after it.
    """

    def befallen(at: At, where: str) -> str:
        """The name of the call; nothing may be wrong, whether the operation makes such a call or not."""
        trier = Trier(MemoryHarness(folder / where), operation, meanwhile=MEANWHILE[meanwhile])
        trial = tried(trier, BEFALLINGS[befalling](at))
        assert not trial.wrong, f"{trial.befell}; its caller was told {trial.told}"
        return trial.befell.name if trial.befell else ""

    names = set(takewhile(bool, (befallen(numbered(number), str(number)) for number in count())))
    made = {call.name for call in calls_of(MemoryHarness(folder / "undisturbed"), operation, "churn")}
    for name in made - names:
        assert befallen(nth(name), name) == name
