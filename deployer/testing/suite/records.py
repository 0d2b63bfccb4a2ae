"""Scenario 13: records of every format that ever was."""

import json
from dataclasses import replace
from importlib.resources import files
from typing import Any
from uuid import UUID

import pytest
from pydantic import TypeAdapter

from deployer.engine import Launch, WorkloadSpec
from deployer.engine_deployer import EngineModelDeployer
from deployer.records.record import Record
from deployer.rollout.steps import ignore
from deployer.rollout.wait import UNLIMITED
from deployer.runtimes import runtime_of
from deployer.testing.hammer import Reply
from deployer.testing.harness import Harness

JsonObject = dict[str, Any]
FORMATS = (1, 2, 3)
"""Of a record and of how it is launched, stored together when one of them is new."""


@pytest.mark.parametrize("version", FORMATS)
def test_13_a_record_of_an_older_format_reads_and_keeps_its_uuid_and_url(harness: Harness, version: int) -> None:
    deployer, old_record = harness.deployer(), stored("record", version)
    _create(harness, deployer, old_record, stored("launch", version))
    assert deployer.reconcile().failed == ()
    (old,) = harness.deployer().find_model_server()
    assert (old.uuid, old.name, old.revision) == (UUID(old_record["uuid"]), old_record["name"], old_record["revision"])
    assert old.created_at.isoformat() == old_record["server_created_at"].replace("Z", "+00:00")
    assert harness.ask(old) == Reply(200, "v1", old_record["revision"])
    new = harness.deployer().deploy_model(harness.config("v2", name=old_record["name"]), replace=True)
    assert (new.uuid, new.url, new.revision) == (old.uuid, old.url, old_record["revision"] + 1)
    known = [(entry["number"], entry["outcome"]) for entry in old_record["history"]]
    history = [(entry.number, str(entry.outcome)) for entry in deployer.history(new.uuid)]
    assert history == [*known, (old.revision, "served"), (new.revision, "served")]


def stored(what: str, version: int) -> JsonObject:
    """A record or a launch as the library of that time wrote it."""
    text = files(__package__).joinpath("formats", f"{what}-{version}.json").read_text(encoding="utf-8")
    read: JsonObject = json.loads(text)
    return read


def _create(harness: Harness, deployer: EngineModelDeployer, old_record: JsonObject, old_launch: JsonObject) -> None:
    """Its workload, with bytes, a program and an image that this machine has."""
    config, images = harness.config("v1"), deployer.images
    digest, program = deployer.store.add(config.model_uri), runtime_of(config.runtime).launch(config, deployer.place)
    image = images and images.choose(config, program, deployer.store.path(digest), ignore, UNLIMITED)
    record = Record.model_validate(old_record | {"digest": digest}).model_copy(update={"image": image})
    launch = TypeAdapter(Launch).validate_python(old_launch)
    deployer.gateway.ensure()
    deployer.engine.create(WorkloadSpec(record, replace(launch, argv=program.argv)))
