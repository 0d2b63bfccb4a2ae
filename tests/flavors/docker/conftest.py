import os
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from deployer.engine import Workload, WorkloadSpec
from deployer.flavors.docker import labels
from deployer.flavors.docker.connection import Connection
from deployer.flavors.docker.refusals import gone_is_fine, refusals
from deployer.runtimes import runtime_of
from deployer.runtimes.mlflow_needs import TESTED
from deployer.testing.docker import DockerHarness
from tests.environments.packages import wheel
from tests.support.package_index import Index, package_index

if TYPE_CHECKING:
    from docker import APIClient


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


@pytest.fixture
def api(docker_engine: None) -> Iterator["APIClient"]:
    """The engine's; images and containers that a test brings are gone after it, and no build has left anything."""
    api = Connection().api
    before = {image["Id"] for image in api.images(all=True)}
    yield api
    for one in api.containers(all=True, filters={"label": [labels.BUILT]}):
        api.remove_container(one["Id"], force=True)
    stages = api.images(filters={"label": labels.BUILDING})
    for image in api.images():
        if image["Id"] not in before:
            for name in [name for name in image["RepoTags"] or [] if "<none>" not in name] or [image["Id"]]:
                with gone_is_fine(), refusals("it could not be removed"):
                    api.remove_image(name, force=True)
    assert stages == [], "builds left them"
    assert {image["Id"] for image in api.images(all=True)} <= before


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Index]:
    """One that pip is told of, and no other."""
    with package_index(served_packages(tmp_path / "index")) as index:
        pip_asks(index, monkeypatch)
        yield index


def served_packages(folder: Path) -> Path:
    """What serves MLflow models, in name, and tiny 1.0 and 2.0."""
    for package, version in (*TESTED.items(), ("tiny", "1.0"), ("tiny", "2.0")):
        wheel(folder, package.replace("-", "_"), version)
    return folder


def pip_asks(index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith(("PIP_", "UV_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_INDEX_URL", index.url)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return model_of(tmp_path / "model", "tiny==1.0")


def model_of(folder: Path, *requirements: str, python: str = "") -> Path:
    """As far as it decides what its image holds."""
    folder.mkdir(exist_ok=True)
    (folder / "requirements.txt").write_text("\n".join(requirements))
    if python:
        (folder / "python_env.yaml").write_text(f"python: {python}.1\n")
    return folder
