"""What hangs is ended by the very run that hung, whatever others do between the last question and the kill."""

import os
import signal
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from deployer.config import Probes
from deployer.engine import Phase, RemembersSilence, Workload
from deployer.flavors.process.engine import ProcessEngine
from deployer.flavors.process.folder import WorkloadFolder
from deployer.processes import files
from deployer.testing import model_server
from tests.flavors.process.conftest import PYTHON, look, spec, started, until
from tests.support import meddling


@pytest.fixture
def hanging(engine: ProcessEngine) -> Iterator[Workload]:
    """It has been silent for a moment."""
    workload = started(engine, spec("--hang", probes=Probes(timeout_s=0.3)))
    until(lambda: list(engine.log(workload.ref, 1)) == ["listening"])
    engine.note_silence(workload.ref, True)
    yield look(engine, workload.ref)


def run_of(root: Path, workload: Workload) -> object:
    return WorkloadFolder(root / str(workload.ref)).identity()


def test_it_fulfils_the_contract(engine: ProcessEngine) -> None:
    assert isinstance(engine, RemembersSilence)


def test_what_hangs_is_killed_at_once(engine: ProcessEngine, hanging: Workload) -> None:
    engine.kill_silent(hanging.ref, 0)
    dead = look(engine, hanging.ref)
    assert dead.ending and dead.ending.exit_code == -signal.SIGKILL
    assert (dead.starts, dead.silent_s) == (1, None)


def test_it_is_silent_since_it_was_first_noted(engine: ProcessEngine, hanging: Workload) -> None:
    until(lambda: (look(engine, hanging.ref).silent_s or 0) > 0.2)
    engine.note_silence(hanging.ref, True)
    assert (look(engine, hanging.ref).silent_s or 0) > 0.2


def test_a_start_forgets_it(engine: ProcessEngine, hanging: Workload) -> None:
    engine.stop(hanging.ref, 0)
    engine.start(hanging.ref)
    assert look(engine, hanging.ref).silent_s is None


def test_a_restart_of_the_machine_forgets_it(engine: ProcessEngine, root: Path, hanging: Workload) -> None:
    files.write(root / str(hanging.ref) / files.SILENT, {"boot": "an-earlier-boot", "at": 1.0})
    assert look(engine, hanging.ref).silent_s is None


def test_a_run_that_came_after_the_last_question_is_left_alone(
    engine: ProcessEngine, root: Path, hanging: Workload, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever asked was frozen then, and another restarted it."""
    before, stop = run_of(root, hanging), WorkloadFolder.stop

    def frozen(folder: WorkloadFolder, *args: object, **named: object) -> None:
        monkeypatch.setattr(WorkloadFolder, "stop", stop)
        engine.stop(hanging.ref, 0)
        engine.start(hanging.ref)
        stop(folder, *args, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(WorkloadFolder, "stop", frozen)
    engine.kill_silent(hanging.ref, 0)
    assert look(engine, hanging.ref).phase is Phase.RUNNING
    assert run_of(root, hanging) != before


def test_what_comes_to_answer_in_the_last_moment_is_left_alone_and_noted(
    engine: ProcessEngine, models: Path, tmp_path: Path
) -> None:
    (models / "d1" / "model.json").write_text('{"answer": "v1"}')
    argv = (*PYTHON[:3], model_server.__file__, "--port", "{port}", "--model", "{model}")
    workload = started(engine, spec(argv=argv, probes=Probes(timeout_s=5)))
    until(lambda: engine.probe([workload], 5)[workload.ref].health == "ready")
    engine.note_silence(workload.ref, True)
    engine.kill_silent(workload.ref, 0)
    alive = look(engine, workload.ref)
    assert (alive.phase, alive.silent_s) == (Phase.RUNNING, None)


def test_nothing_is_done_to_another_of_the_same_name(engine: ProcessEngine, root: Path, hanging: Workload) -> None:
    another = replace(hanging.ref, token="another")
    engine.kill_silent(another, 0)
    engine.note_silence(another, False)
    assert look(engine, hanging.ref).phase is Phase.RUNNING
    assert look(engine, hanging.ref).silent_s is not None


def test_what_does_not_run_is_not_silent(engine: ProcessEngine, root: Path) -> None:
    created = engine.create(spec())
    engine.note_silence(created.ref, True)
    engine.kill_silent(created.ref, 0)
    assert not os.path.exists(root / str(created.ref) / files.SILENT)


def test_a_note_that_comes_too_late_is_not_for_another_of_the_same_name(
    engine: ProcessEngine, root: Path, hanging: Workload, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine.note_silence(hanging.ref, False)
    folder = engine._folder(str(hanging.ref))
    with monkeypatch.context() as meanwhile:
        gone = partial(meanwhile.setattr, folder, "belongs_to", lambda ref: False)
        meddling.after(folder, "held", gone)
        engine.note_silence(hanging.ref, True)
    assert not (root / str(hanging.ref) / files.SILENT).exists()
