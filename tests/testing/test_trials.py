"""Whatever befalls a deployer, at whichever call of whatever it does: nothing lost, nobody lied to."""

from itertools import count
from pathlib import Path

import pytest

from deployer.testing.faults import numbered
from deployer.testing.meanwhile import MEANWHILE
from deployer.testing.memory import MemoryHarness
from deployer.testing.operations import OPERATIONS, Deploying, Operation
from deployer.testing.trials import BEFALLINGS, Trial, Trier

DEPLOYS = [operation for operation in OPERATIONS if isinstance(operation.act, Deploying)]
DEPLOYS_OF_ONE = [operation for operation in DEPLOYS if not operation.raises and not operation.target]
DEATHS, FREEZES = ["dies before", "dies after"], ["is frozen before", "is frozen after"]


@pytest.mark.parametrize("befalling", BEFALLINGS)
@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
def test_whatever_befalls_a_deployer_at_any_call_a_reconcile_sets_right(
    tmp_path: Path, operation: Operation, befalling: str
) -> None:
    for number in count():
        trier = Trier(MemoryHarness(tmp_path / str(number)), operation)
        if not _befell(trier.with_reconcile(BEFALLINGS[befalling](numbered(number)))):
            return


@pytest.mark.parametrize("befalling", DEATHS)
@pytest.mark.parametrize("operation", DEPLOYS, ids=lambda operation: operation.name)
def test_wherever_a_deployer_dies_the_next_deploy_of_the_same_comes_to_its_end(
    tmp_path: Path, operation: Operation, befalling: str
) -> None:
    for number in count():
        trier = Trier(MemoryHarness(tmp_path / str(number)), operation)
        if not _befell(trier.with_another_try(BEFALLINGS[befalling](numbered(number)))):
            return


@pytest.mark.parametrize("other", ["stops", "deletes"])
@pytest.mark.parametrize("befalling", FREEZES)
@pytest.mark.parametrize("operation", DEPLOYS_OF_ONE, ids=lambda operation: operation.name)
def test_wherever_a_deployer_is_frozen_while_another_ends_its_server_it_is_told_so(
    tmp_path: Path, operation: Operation, befalling: str, other: str
) -> None:
    for number in count():
        trier = Trier(MemoryHarness(tmp_path / str(number)), operation, meanwhile=MEANWHILE[other])
        if not _befell(trier.with_reconcile(BEFALLINGS[befalling](numbered(number)))):
            return


def _befell(trial: Trial) -> bool:
    """Whether the operation has such a call; and nothing may be wrong, whether it has or not."""
    assert not trial.wrong, f"{trial.befell}; its caller was told {trial.told}"
    return trial.befell is not None
