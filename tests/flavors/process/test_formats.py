"""State directories as libraries before this one wrote them, each stored when its format was new."""

import json
import os
import re
import shutil
import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest

from deployer.engine import Phase, Wanted
from deployer.flavors.process.engine import ProcessEngine
from deployer.processes.held import HeldProcess
from deployer.processes.identity import boot_id
from deployer.server import State
from deployer.testing.hammer import Reply
from deployer.testing.process import ProcessHarness
from tests.flavors.process.conftest import PYTHON, look, spec, started, until

FORMATS = Path(__file__).with_name("formats")
ROUTES = Path(__file__).parents[2] / "gateways" / "formats"
VERSIONS = sorted(path.name for path in FORMATS.iterdir())
ROUTES_OF_THAT_TIME = {"2": "1", "3": "1"}
SERVER, BOOT_THEN = "groe-2025-93c3cfef", "0b0075ed-0000-4000-8000-000000000001"


@pytest.fixture(params=VERSIONS)
def harness(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[ProcessHarness]:
    """A machine that was shut down with an older library, and has this one now."""
    monkeypatch.setenv("PATH", os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))
    shutil.copytree(FORMATS / request.param, tmp_path / "state")
    routes = ROUTES / ROUTES_OF_THAT_TIME.get(request.param, request.param) / "routes"
    shutil.copytree(routes, tmp_path / "state" / "gateway" / "routes")
    with closing(ProcessHarness(tmp_path)) as mine:
        yield mine


def test_all_that_an_older_library_knew_of_a_server_reads(harness: ProcessHarness) -> None:
    deployer = harness.deployer()
    (server,) = deployer.find_model_server()
    assert deployer.unreadable() == []
    assert (server.uuid, server.name) == (UUID("f475be15-d34f-488a-99cf-78f87f3d99df"), "Größe 2025")
    assert server.url.endswith(f"/{SERVER}") and (server.revision, server.state) == (2, State.FAILED)
    assert "revision 3 was refused: it ended before it was ready: it exited with code 1" in server.message
    assert server.created_at == datetime(2026, 11, 23, 18, 8, 48, 166861, UTC)
    assert (server.config.env, server.provenance.pipeline_run_id) == ({"THREADS": "2"}, "run-second")
    history = [(entry.number, str(entry.outcome)) for entry in deployer.history(server.uuid)]
    assert history == [(1, "served"), (2, "served"), (3, "refused")]
    assert list(deployer.logs(server.uuid, revision=3)) == ["cannot load model"]


def test_it_serves_again_and_its_revisions_go_on_from_there(harness: ProcessHarness) -> None:
    deployer = harness.deployer()
    assert deployer.reconcile().failed == ()
    (server,) = deployer.find_model_server()
    assert harness.ask(server) == Reply(200, "second", 2)
    back = deployer.rollback(server.uuid)
    assert (back.uuid, back.url, back.revision) == (server.uuid, server.url, 4)
    assert harness.ask(server) == Reply(200, "first", 4)
    assert [workload.revision for workload in deployer.engine.list()] == [4]


def test_how_it_ran_reads_where_the_machine_was_not_restarted_since(harness: ProcessHarness) -> None:
    _as_if_the_machine_had_run_on(harness.state_dir)
    served, refused = harness.deployer().engine.list()
    assert (served.wanted, served.phase, served.starts, served.address) == (
        Wanted.RUNNING,
        Phase.ENDED,
        2,
        "http://127.0.0.1:21503",
    )
    assert served.ending and (served.ending.exit_code, served.age_s > 0) == (-9, True)
    assert (refused.wanted, refused.starts) == (Wanted.REFUSED, 1)
    assert refused.ending and refused.ending.exit_code == 1
    identity = HeldProcess(harness.state_dir / "workloads" / str(served.ref)).identity()
    assert identity and (identity.pid, identity.start, identity.lives) == (14873, 12.62, False)


def test_after_a_restart_nobody_has_seen_it_die(harness: ProcessHarness) -> None:
    served, _ = harness.deployer().engine.list()
    assert (served.phase, served.starts) == (Phase.ENDED, 0)


def test_the_newest_stored_format_is_what_is_written_today(engine: ProcessEngine, root: Path) -> None:
    """Who changes what stands in a folder stores one of the new kind, and keeps the old."""
    workload = started(engine, spec(argv=(*PYTHON[:3], "-c", "raise SystemExit('cannot load model')")))
    until(lambda: look(engine, workload.ref).phase is Phase.ENDED)
    engine.mark(workload.ref, Wanted.REFUSED, "it ended before it was ready")
    assert _shapes(root / str(workload.ref)) == _shapes(FORMATS / VERSIONS[-1] / "workloads" / f"{SERVER}-r3")


def _as_if_the_machine_had_run_on(state_dir: Path) -> None:
    for path in state_dir.glob("workloads/*/*"):
        path.write_text(path.read_text().replace(BOOT_THEN, boot_id()))


def _shapes(folder: Path) -> dict[str, object]:
    """By file: the types of what it tells by name, or its text without numbers."""
    return {path.name: _shape(path.read_text()) for path in folder.iterdir()}


def _shape(text: str) -> object:
    try:
        return {key: type(value).__name__ for key, value in json.loads(text).items()}
    except ValueError:
        return re.sub("[0-9a-f-]+", "", text)
