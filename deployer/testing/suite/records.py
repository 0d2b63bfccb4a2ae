"""Scenario 13: records of every format that ever was."""

import json
from importlib.resources import files
from typing import Any
from uuid import UUID

import pytest

from deployer.engine import WorkloadSpec
from deployer.engine_deployer import EngineModelDeployer
from deployer.records.record import Record
from deployer.runtimes import runtime_of
from deployer.testing.hammer import Reply
from deployer.testing.harness import Harness

FORMATS = (1,)


@pytest.mark.parametrize("version", FORMATS)
def test_13_a_record_of_an_older_format_reads_and_keeps_its_uuid_and_url(harness: Harness, version: int) -> None:
    deployer, stored = harness.deployer(), stored_record(version)
    _create(harness, deployer, stored)
    assert deployer.reconcile().failed == ()
    (old,) = harness.deployer().find_model_server()
    assert (old.uuid, old.name, old.revision) == (UUID(stored["uuid"]), stored["name"], stored["revision"])
    assert old.created_at.isoformat() == stored["server_created_at"].replace("Z", "+00:00")
    assert harness.ask(old) == Reply(200, "v1", stored["revision"])
    new = harness.deployer().deploy_model(harness.config("v2", name=stored["name"]), replace=True)
    assert (new.uuid, new.url, new.revision) == (old.uuid, old.url, stored["revision"] + 1)
    assert [entry.number for entry in deployer.history(new.uuid)][-2:] == [old.revision, new.revision]


def stored_record(version: int) -> dict[str, Any]:
    """A record as the library of that time wrote it."""
    text = files(__package__).joinpath("formats", f"record-{version}.json").read_text(encoding="utf-8")
    stored: dict[str, Any] = json.loads(text)
    return stored


def _create(harness: Harness, deployer: EngineModelDeployer, stored: dict[str, Any]) -> None:
    """Its workload, with bytes that this machine can serve."""
    config = harness.config("v1")
    record = Record.model_validate(stored | {"digest": deployer.store.add(config.model_uri)})
    deployer.gateway.ensure()
    deployer.engine.create(WorkloadSpec(record, runtime_of(config.runtime).launch(config)))
