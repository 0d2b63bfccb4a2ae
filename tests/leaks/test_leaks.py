"""Revision after revision of one server: whatever is taken for one is given back."""

import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from deployer.config import Drain, Probes
from deployer.records.record import HISTORY_LENGTH
from deployer.testing.hammer import Reply
from deployer.testing.memory import MemoryHarness
from deployer.testing.process import ProcessHarness
from tests.leaks.footprint import footprint, growth

IN_MEMORY = 300
AS_PROCESSES = int(os.environ.get("LEAK_REVISIONS", "90"))
"""The long run makes 300, which take minutes."""
WARM_UP = 30
KEEPS_MODELS = 3
LARGEST_RECORD = 200 << 10


@pytest.fixture
def processes(tmp_path: Path) -> Iterator[ProcessHarness]:
    with closing(ProcessHarness(tmp_path)) as mine:
        yield mine


def test_revisions_in_memory_leave_nothing_behind(tmp_path: Path) -> None:
    harness = MemoryHarness(tmp_path)
    assert_nothing_grows(harness, tmp_path / "store", tmp_path / "store", IN_MEMORY)
    assert len(harness.deployer().platform.workloads) == len(harness.deployer().platform.routes.by_server) == 1


@pytest.mark.timeout(60 + 5 * AS_PROCESSES)
def test_revisions_that_are_processes_leave_nothing_behind(processes: ProcessHarness) -> None:
    state = processes.state_dir
    assert_nothing_grows(processes, state, state / "models", AS_PROCESSES)
    (record,) = state.glob("workloads/*/record")
    assert record.stat().st_size < LARGEST_RECORD
    beside_routes = {"_access.yml", "_certificate.yml"}
    assert {path.name for path in (state / "gateway" / "routes").iterdir()} == {"churn.yml", *beside_routes}
    assert {path.name for path in (state / "gateway" / "locks").iterdir()} == {"churn", *beside_routes}


def assert_nothing_grows(harness: MemoryHarness | ProcessHarness, state: Path, store: Path, revisions: int) -> None:
    deployer, footprints = harness.deployer(), []
    for number in range(1, revisions + 1):
        server = deployer.deploy_model(
            harness.config(f"v{number}", delay_s=0, probes=Probes(settle_s=0, startup_s=20), drain=Drain(drain_s=0)),
            replace=True,
        )
        assert harness.ask(server) == Reply(200, f"v{number}", number)
        if number in (WARM_UP // 2, WARM_UP, revisions):
            for model in store.iterdir():
                os.utime(model, (1, 1))  # Nobody has touched it for a day.
            assert deployer.reconcile().changed == ()
            footprints.append(footprint(state))
    _, before, after = footprints  # The first look takes something for itself.
    assert growth(before, after) == {}
    assert len(list(store.iterdir())) == KEEPS_MODELS
    assert len(deployer.history(server.uuid)) == HISTORY_LENGTH
