import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from deployer.engine import Workload, WorkloadSpec
from deployer.runtimes import runtime_of
from deployer.testing.docker import DockerHarness


@pytest.fixture
def harness(docker_engine: None, tmp_path: Path) -> Iterator[DockerHarness]:
    with closing(DockerHarness(tmp_path)) as mine:
        yield mine


def only(harness: DockerHarness) -> Workload:
    """The only workload, as a deployer lists it that knows nothing yet."""
    (workload,) = harness.deployer().engine.list()
    return workload


def inspected(harness: DockerHarness, workload: Workload) -> dict[str, Any]:
    """All that the engine tells of its container."""
    told: dict[str, Any] = harness.connection.api.inspect_container(str(workload.ref))
    return told


def next_revision(workload: Workload) -> WorkloadSpec:
    """What would be created after it, each time with a token of its own."""
    new = {"revision": workload.revision + 1, "token": uuid4().hex, "request_id": "another"}
    return spec_like(workload, **new)


def spec_like(workload: Workload, **fields: Any) -> WorkloadSpec:
    record = workload.record.model_copy(update=fields)
    return WorkloadSpec(record, runtime_of(record.config.runtime).launch(record.config))


def until(condition: Callable[[], object], within_s: float = 20) -> None:
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, "it did not come about in time"
        time.sleep(0.02)
