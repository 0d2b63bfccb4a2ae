"""What an engine was asked for, and what became of the folder between its look and its deed."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from deployer.config import Probes
from deployer.engine import Phase, Ref, Wanted
from deployer.errors import EngineError, EngineUnavailable
from deployer.flavors.process.engine import ProcessEngine
from deployer.flavors.process.folder import WorkloadFolder
from deployer.processes import files
from deployer.processes.held import STABLE_S, HeldProcess
from tests.flavors.process.conftest import PYTHON, look, spec, started

ENDS = (*PYTHON[:3], "-c", "")


@contextmanager
def first(happens: Callable[[], object], place: object, name: str) -> Iterator[None]:
    """Something happens once, just before the next call of that function."""
    whole: Any = getattr(place, name)
    with pytest.MonkeyPatch.context() as patch:

        def called(*args: Any, **named: Any) -> Any:
            patch.undo()
            happens()
            return whole(*args, **named)

        patch.setattr(place, name, called)
        yield
    assert getattr(place, name) is whole


@pytest.fixture
def ref(engine: ProcessEngine) -> Ref:
    return engine.create(spec()).ref


@pytest.fixture
def another(engine: ProcessEngine, ref: Ref) -> Callable[[], Ref]:
    """Delete it, and make and start another one of the same name and number."""

    def make() -> Ref:
        engine.stop(ref, 0)
        engine.delete(ref)
        return started(engine, spec()).ref

    return make


@pytest.mark.parametrize("wanted", Wanted)
def test_a_mark_that_comes_too_late_is_not_given_to_another_of_its_name(
    engine: ProcessEngine, ref: Ref, another: Callable[[], Ref], root: Path, wanted: Wanted
) -> None:
    with first(another, files, "write"):
        engine.mark(ref, wanted, "long ago")
    (workload,) = engine.list()
    assert workload.ref != ref
    assert (workload.wanted, workload.cause, workload.phase) == (Wanted.RUNNING, "", Phase.RUNNING)
    assert not list((root / str(ref)).glob(".wanted*"))


def test_a_stop_that_comes_too_late_does_not_end_another_of_its_name(
    engine: ProcessEngine, ref: Ref, another: Callable[[], Ref]
) -> None:
    engine.start(ref)
    with first(another, HeldProcess, "stop"):
        engine.stop(ref, 0)
    (workload,) = engine.list()
    assert (workload.ref != ref, workload.phase) == (True, Phase.RUNNING)


def test_a_stop_whose_workload_goes_while_it_waits_does_not_end_another_of_its_name(
    engine: ProcessEngine, ref: Ref, another: Callable[[], Ref]
) -> None:
    engine.start(ref)
    with first(another, HeldProcess, "identity"):
        engine.stop(ref, 30)
    (workload,) = engine.list()
    assert (workload.ref != ref, workload.phase) == (True, Phase.RUNNING)


def test_a_start_that_comes_too_late_does_not_run_its_program_as_another_of_its_name(
    engine: ProcessEngine, ref: Ref
) -> None:
    def another() -> None:
        engine.delete(ref)
        engine.create(spec())

    with first(another, HeldProcess, "start"):
        engine.start(ref)
    (workload,) = engine.list()
    assert (workload.ref != ref, workload.phase, workload.starts) == (True, Phase.CREATED, 0)


@pytest.mark.parametrize("wanted", [Wanted.RUNNING, Wanted.STOPPED])
def test_what_was_refused_stays_refused(engine: ProcessEngine, wanted: Wanted) -> None:
    ref = started(engine, spec(argv=ENDS)).ref
    engine.mark(ref, Wanted.REFUSED, "it is bad")
    engine.mark(ref, wanted, "somebody had not seen it")
    workload = look(engine, ref)
    assert (workload.wanted, workload.cause, workload.starts) == (Wanted.REFUSED, "it is bad", 1)


def test_what_is_refused_just_before_it_is_marked_stays_refused(engine: ProcessEngine, ref: Ref) -> None:
    with first(lambda: engine.mark(ref, Wanted.REFUSED, "it is bad"), files, "write"):
        engine.mark(ref, Wanted.STOPPED, "somebody had not seen it")
    assert look(engine, ref).wanted is Wanted.REFUSED


def test_a_start_that_is_kept_off_by_one_who_looks_is_no_start(engine: ProcessEngine, ref: Ref, root: Path) -> None:
    """A deployer may be suspended while it looks."""
    with WorkloadFolder(root / str(ref)).resting(), pytest.raises(EngineUnavailable, match="looking at it"):
        engine.start(ref)
    engine.start(ref)
    assert look(engine, ref).phase is Phase.RUNNING


def test_a_start_that_another_one_was_faster_with_is_done_though_it_has_ended_since(engine: ProcessEngine) -> None:
    ref = engine.create(spec(argv=ENDS)).ref
    folder_start = HeldProcess.start

    def start(process: HeldProcess, *args: Any, **named: Any) -> Any:
        folder_start(process, *args, **named)
        with process.resting():
            return folder_start(process, *args, **named)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(HeldProcess, "start", start)
        engine.start(ref)


def test_without_its_lock_it_is_neither_listed_nor_started(engine: ProcessEngine, ref: Ref, root: Path) -> None:
    (root / str(ref) / files.LOCK).unlink()
    assert engine.list() == []
    (unreadable,) = engine.unreadable()
    assert unreadable.reason.endswith(f"{ref}/{files.LOCK}")
    with pytest.raises(EngineError, match="not whole"):
        engine.start(ref)


def test_a_creation_whose_folder_was_swept_up_may_be_tried_again(engine: ProcessEngine, root: Path) -> None:
    def sweep() -> None:
        (temporary,) = root.glob(".tmp-*")
        temporary.rename(root / ".gone-1")

    with first(sweep, files, "write_text"), pytest.raises(EngineUnavailable, match="too long in the making"):
        engine.create(spec())
    engine.create(spec())


def test_a_run_must_be_longer_than_its_startup_to_be_forgotten(engine: ProcessEngine) -> None:
    told = []

    def start(_: HeldProcess, *args: Any, stable_s: float, **named: Any) -> None:
        told.append(stable_s)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(HeldProcess, "start", start)
        for revision, probes in enumerate((None, Probes(startup_s=1), Probes(startup_s=1800)), 1):
            engine.start(engine.create(spec(revision=revision, probes=probes)).ref)
    assert told == [STABLE_S, STABLE_S, 1800]
