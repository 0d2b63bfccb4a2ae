import sys
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest

from deployer.config import ModelServerConfig, Probes, Resources
from deployer.engine import Launch, Ref, Workload, WorkloadSpec
from deployer.errors import SecretUnresolved
from deployer.flavors.process.engine import ProcessEngine
from deployer.records.record import Record

SERVER = str(Path(__file__).with_name("tiny_server.py"))
PYTHON = (sys.executable, "-I", "-S", SERVER)
SECRETS = {"env:THERE": "hush-hush"}


@pytest.fixture
def models(tmp_path: Path) -> Path:
    folder = tmp_path / "models"
    (folder / "d1").mkdir(parents=True)
    return folder


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "workloads"


@pytest.fixture
def engine(root: Path, models: Path) -> Iterator[ProcessEngine]:
    """An engine whose workloads are ended afterwards, whatever comes."""
    made = ProcessEngine(root, models.joinpath, resolve)
    yield made
    for workload in made.list():
        made.stop(workload.ref, 0)


def resolve(references: Mapping[str, str]) -> dict[str, str]:
    if missing := [reference for reference in references.values() if reference not in SECRETS]:
        raise SecretUnresolved(f"{missing[0]} leads nowhere")
    return {variable: SECRETS[reference] for variable, reference in references.items()}


def spec(
    *arguments: str,
    name: str = "churn",
    revision: int = 1,
    argv: tuple[str, ...] = (),
    launch_env: Mapping[str, str] | None = None,
    takes_descriptor: bool = False,
    probes: Probes | None = None,
    env: Mapping[str, str] | None = None,
    secrets: Mapping[str, str] | None = None,
    resources: Resources | None = None,
) -> WorkloadSpec:
    config = ModelServerConfig(
        name=name,
        model_uri="m",
        probes=probes,
        env=dict(env or {}),
        secrets=dict(secrets or {}),
        resources=resources,
    )
    record = Record(
        uuid=uuid4(),
        name=name,
        revision=revision,
        token=uuid4().hex,
        request_id="r",
        origin=revision,
        config=config,
        digest="d1",
        model_type="",
        cause="asked for",
        created_at=datetime.now(UTC),
        server_created_at=datetime.now(UTC),
    )
    launch = Launch(
        argv=argv or (*PYTHON, "--port={port}", *arguments),
        env=dict(launch_env or {}),
        readiness_path="/ping",
        takes_descriptor=takes_descriptor,
        stamps_revision=True,
    )
    return WorkloadSpec(record, launch)


def started(engine: ProcessEngine, wish: WorkloadSpec) -> Workload:
    """The workload, created and running, as the engine lists it."""
    ref = engine.create(wish).ref
    engine.start(ref)
    return look(engine, ref)


def look(engine: ProcessEngine, ref: Ref) -> Workload:
    return next(workload for workload in engine.list() if workload.ref == ref)


def until(condition: Callable[[], bool], within_s: float = 10) -> None:
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, "it did not come about in time"
        time.sleep(0.01)
