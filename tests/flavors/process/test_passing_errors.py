"""What the system lacks for a moment, as descriptors or memory, is never taken for what a folder says."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from deployer.engine import Health, Wanted
from deployer.errors import DeployerError, EngineUnavailable, Transient
from deployer.flavors.process.engine import ProcessEngine
from deployer.processes.passing import PASSING
from deployer.state_directory import usable_state_directory
from deployer.store import Store
from tests.flavors.process.conftest import look, spec, started, until

LACKING = [("record", number) for number in sorted(PASSING)] + [
    (file, errno.EMFILE) for file in ("launch", "wanted", "address", "pid", "lock")
]


@contextmanager
def failing(ending: str, number: int) -> Iterator[None]:
    """Whatever opens a path that ends so fails with that error of the system."""
    whole = os.open

    def opened(path: Any, *args: Any, **named: Any) -> int:
        if os.fspath(path).endswith(ending):
            raise OSError(number, os.strerror(number), path)
        return whole(path, *args, **named)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "open", opened)
        yield


@pytest.mark.parametrize(("file", "number"), LACKING)
def test_a_list_that_cannot_read_one_just_now_is_an_error_and_never_a_list_without_it(
    engine: ProcessEngine, file: str, number: int
) -> None:
    ref = engine.create(spec()).ref
    with failing(f"/{file}", number):
        with pytest.raises(EngineUnavailable, match="could not be listed"):
            engine.list()
        with pytest.raises(EngineUnavailable):
            engine.unreadable()
    assert [workload.ref for workload in engine.list()] == [ref]


def test_one_that_may_not_be_read_at_all_is_reported_and_the_others_are_listed(engine: ProcessEngine) -> None:
    engine.create(spec())
    readable = engine.create(spec(revision=2)).ref
    with failing("r1/record", errno.EACCES):
        assert [workload.ref for workload in engine.list()] == [readable]
        (unreadable,) = engine.unreadable()
    assert "Permission denied" in unreadable.reason


def test_a_mark_that_cannot_be_made_just_now_may_be_made_again(engine: ProcessEngine) -> None:
    ref = engine.create(spec()).ref
    with failing("/record", errno.EMFILE), pytest.raises(EngineUnavailable):
        engine.mark(ref, Wanted.STOPPED, "asked to")
    assert look(engine, ref).wanted is Wanted.RUNNING


@pytest.mark.parametrize("file", ["launch", "pid", "lock"])
def test_one_that_cannot_be_asked_just_now_is_silent_and_never_unreached(
    engine: ProcessEngine, file: str
) -> None:
    workload = started(engine, spec())
    until(lambda: engine.probe([workload], 5)[workload.ref].health is Health.READY)
    with failing(f"/{file}", errno.EMFILE):
        answer = engine.probe([workload], 5)[workload.ref]
    assert (answer.health, "Too many open files" in answer.message) == (Health.SILENT, True)


def test_whatever_befalls_a_probe_becomes_its_answer_at_once(
    engine: ProcessEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    workload = started(engine, spec())
    until(lambda: engine.probe([workload], 5)[workload.ref].health is Health.READY)

    def listens(pid: int, port: int) -> bool:
        raise ZeroDivisionError("nobody thought of it")

    monkeypatch.setattr("deployer.flavors.process.probe.listens", listens)
    answer = engine.probe([workload], 5)[workload.ref]
    assert (answer.health, "nobody thought of it" in answer.message) == (Health.SILENT, True)


def test_a_store_that_cannot_be_written_just_now_may_be_tried_again(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    store = Store(tmp_path / "models")
    with failing("", errno.EMFILE), pytest.raises(Transient):
        store.add(str(tmp_path / "model"))


def test_a_state_directory_that_cannot_be_tried_just_now_may_be_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_descriptor(*_: object, **__: object) -> None:
        raise OSError(errno.ENFILE, os.strerror(errno.ENFILE))

    monkeypatch.setattr("tempfile.NamedTemporaryFile", no_descriptor)
    with pytest.raises(DeployerError) as raised:
        usable_state_directory(tmp_path)
    assert isinstance(raised.value, Transient)
