import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from deployer.engine import Launch, Ref, WorkloadSpec
from deployer.flavors.process.engine import ProcessEngine
from deployer.records.record import Record
from deployer.testing.suite.records import FORMATS, stored
from tests.support.worlds import record


def changed(**changes: object) -> str:
    return json.dumps(json.loads(record(1).model_dump_json()) | changes)


def test_a_record_reads_back_equal() -> None:
    assert Record.model_validate_json(record(1).model_dump_json()) == record(1)


def test_a_record_of_a_newer_version_is_not_read() -> None:
    with pytest.raises(ValidationError, match="2 is a newer library's"):
        Record.model_validate_json(changed(version=2))


def test_what_a_newer_library_adds_to_this_version_is_passed_over() -> None:
    assert Record.model_validate_json(changed(colour="blue")) == record(1)


def test_revisions_are_numbered_from_one() -> None:
    with pytest.raises(ValidationError, match="numbered from 1"):
        Record.model_validate_json(changed(revision=0))


@pytest.mark.parametrize("version", FORMATS)
def test_every_format_that_ever_was_still_reads(version: int) -> None:
    read = Record.model_validate(stored("record", version))
    assert str(read.uuid) == stored("record", version)["uuid"]
    assert [entry.number for entry in read.history] == [1, 2]


@pytest.mark.parametrize(("what", "kind"), [("record", Record), ("launch", Launch)])
def test_the_newest_stored_format_is_what_is_written_today(what: str, kind: type) -> None:
    """Who changes the format stores one of the new kind, and keeps the old."""
    newest = stored(what, FORMATS[-1])
    adapter: TypeAdapter[Any] = TypeAdapter(kind)
    assert json.loads(adapter.dump_json(adapter.validate_python(newest))) == newest


def test_a_record_that_a_newer_library_wrote_is_reported_and_never_touched(tmp_path: Path) -> None:
    engine = ProcessEngine(tmp_path, lambda digest: tmp_path, dict)
    launch = Launch(argv=("serve",), readiness_path="/ping")
    engine.create(WorkloadSpec(record(1), launch))
    (path,) = (path for path in tmp_path.rglob("record") if path.is_file())
    path.write_text(changed(version=2))
    assert engine.list() == []
    (unreadable,) = engine.unreadable()
    assert unreadable.where == str(path.parent)
    said = "version 2 is a newer library's, which this one leaves alone: it reads up to 1"
    assert unreadable.reason == f"its record does not read: {said}"
    engine.delete(Ref("s", 1, "token-1"))
    assert path.read_text() == changed(version=2)
