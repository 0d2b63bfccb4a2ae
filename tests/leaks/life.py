"""Many revisions of one server in a process of its own, so that nothing grows there but by what is done: neither a
coverage tracer, which keeps something for each thread, nor what other tests left running."""

import argparse
import os
from contextlib import closing
from pathlib import Path

from deployer.config import Drain, Probes
from deployer.records.record import HISTORY_LENGTH
from deployer.testing.hammer import Reply
from deployer.testing.memory import MemoryHarness
from deployer.testing.process import ProcessHarness
from tests.leaks.footprint import footprint, growth

WARM_UP = 30
KEEPS_MODELS = 3
LARGEST_RECORD = 200 << 10


def in_memory(folder: Path, revisions: int) -> None:
    harness = MemoryHarness(folder)
    nothing_grows(harness, folder / "store", folder / "store", revisions)
    assert len(harness.deployer().platform.workloads) == len(harness.deployer().platform.routes.by_server) == 1


def as_processes(folder: Path, revisions: int) -> None:
    with closing(ProcessHarness(folder)) as harness:
        state = harness.state_dir
        nothing_grows(harness, state, state / "models", revisions)
        (record,) = state.glob("workloads/*/record")
        assert record.stat().st_size < LARGEST_RECORD
        beside_routes = {"_access.yml", "_certificate.yml"}
        assert {path.name for path in (state / "gateway" / "routes").iterdir()} == {"churn.yml", *beside_routes}
        assert {path.name for path in (state / "gateway" / "locks").iterdir()} == {"churn", *beside_routes}


def nothing_grows(harness: MemoryHarness | ProcessHarness, state: Path, store: Path, revisions: int) -> None:
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
    grown = growth(before, after)
    assert grown == {}, grown
    assert len(list(store.iterdir())) == KEEPS_MODELS
    assert len(deployer.history(server.uuid)) == HISTORY_LENGTH


LIVES = {"memory": in_memory, "process": as_processes}

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("platform", choices=LIVES)
    parser.add_argument("folder", type=Path)
    parser.add_argument("revisions", type=int)
    asked = parser.parse_args()
    LIVES[asked.platform](asked.folder, asked.revisions)
