"""What cannot be done is an error that says what to do instead, and changes nothing."""

import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import pytest

import deployer
from deployer.config import ModelServerConfig
from deployer.errors import (
    DeployerError,
    InvalidConfig,
    InvalidModel,
    InvalidRequest,
    ModelNotFound,
    PortTaken,
    RevisionRefused,
    ServerAlreadyExists,
    ServerNotFound,
    StateDirectoryUnusable,
    UnknownName,
    Unsupported,
)
from deployer.flavors.process.deployer import ProcessModelDeployer
from deployer.server import ModelServer
from deployer.testing.models import write_model
from deployer.testing.process import ProcessHarness

NOBODY = UUID(int=404)
ONE_PROCESS = pytest.mark.xdist_group("bad input")
pytestmark = ONE_PROCESS


@dataclass(frozen=True)
class World:
    """A state directory in which `churn` serves."""

    harness: ProcessHarness
    server: ModelServer

    @property
    def deployer(self) -> ProcessModelDeployer:
        return self.harness.deployer()

    def snapshot(self) -> tuple[list[ModelServer], dict[str, bytes]]:
        """The registry, and every file of workloads and routes but what servers write themselves."""
        state = self.harness.state_dir
        paths = [*(state / "workloads").rglob("*"), *(state / "gateway" / "routes").rglob("*")]
        kept = {str(path): path.read_bytes() for path in paths if path.is_file() and path.name != "log"}
        assert self.harness.leftovers() == []
        return self.deployer.find_model_server(), kept


@pytest.fixture(scope="module")
def churn(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with closing(ProcessHarness(tmp_path_factory.mktemp("bad-input"))) as harness:
        yield World(harness, harness.deployer().deploy_model(harness.config("v1", name="churn")))


@pytest.fixture
def world(churn: World) -> Iterator[World]:
    """`churn` as before, and answering, once the test is over."""
    before = churn.snapshot()
    yield churn
    assert churn.snapshot() == before
    assert churn.harness.ask(churn.server).answer == "v1"


def refused(error: type[DeployerError], call: Callable[[], object], *said: str) -> None:
    """It raises just that error, which says that, and what to do."""
    with pytest.raises(DeployerError) as raised:
        call()
    assert type(raised.value) is error
    assert raised.value.hint, "it does not say what to do"
    assert [text for text in said if text not in str(raised.value)] == []


def mlflow_model(path: Path) -> ModelServerConfig:
    """A config that would replace `churn` by it."""
    return ModelServerConfig(model_uri=str(path), name="churn")


def test_a_model_path_that_is_missing(world: World, tmp_path: Path) -> None:
    config = mlflow_model(tmp_path / "gone")
    refused(ModelNotFound, lambda: world.deployer.deploy_model(config, replace=True), "gone")


def test_a_model_path_that_is_empty(world: World, tmp_path: Path) -> None:
    refused(
        InvalidModel, lambda: world.deployer.deploy_model(mlflow_model(tmp_path), replace=True), "no file in the folder"
    )


def test_a_model_that_is_not_mlflows(world: World, tmp_path: Path) -> None:
    config = mlflow_model(write_model(tmp_path / "model", "v2"))
    refused(InvalidModel, lambda: world.deployer.deploy_model(config, replace=True), "MLmodel", "mlflow", "command")


@pytest.mark.parametrize("uri", ["s4://models/churn", "file:relative", "file://elsewhere/model"])
def test_a_model_uri_that_cannot_be_followed(world: World, uri: str) -> None:
    config = ModelServerConfig(model_uri=uri, name="churn")
    refused(InvalidConfig, lambda: world.deployer.deploy_model(config, replace=True), uri)


@pytest.mark.parametrize(
    ("uri", "right"),
    [
        ("s3:bucket/key", "s3://container/key"),
        ("s3://", "s3://container/key"),
        ("gs:///key", "gs://container/key"),
        ("az:/container/blob", "az://container/key"),
        ("s3://no bucket/key", "Correct it"),
        ("http:///w", "https://host/path"),
        ("http://host:99999/x", "https://host/path"),
        ("http://host:port/x", "https://host/path"),
        ("http://[::1/x", "https://host/path"),
        ("http://a..host/x", "https://host/path"),
        ("https:host/x", "https://host/path"),
        ("hf://owner", "hf://owner/name"),
        ("hf://owner/-churn-", "Correct it"),
    ],
)
def test_a_model_uri_that_no_source_can_follow(world: World, uri: str, right: str) -> None:
    config = ModelServerConfig(model_uri=uri, name="churn")
    refused(InvalidConfig, lambda: world.deployer.deploy_model(config, replace=True), "model URI", right)


def test_an_unknown_runtime(world: World) -> None:
    config = world.harness.config("v2", name="churn", runtime="torchserve")
    refused(UnknownName, lambda: world.deployer.deploy_model(config, replace=True), "torchserve", "mlflow", "command")


def test_the_runtime_command_without_a_command(world: World) -> None:
    config = world.harness.config("v2", name="churn", command=None)
    refused(InvalidConfig, lambda: world.deployer.deploy_model(config, replace=True), "command")


@pytest.mark.parametrize("line", ["'", " ", "serve 'open"])
def test_a_command_line_that_is_none(world: World, line: str) -> None:
    config = world.harness.config("v2", name="churn", command={"line": line})
    refused(InvalidConfig, lambda: world.deployer.deploy_model(config, replace=True), "command line")


def test_more_replicas_than_there_can_be(world: World) -> None:
    config = world.harness.config("v2", name="churn", replicas=2)
    refused(Unsupported, lambda: world.deployer.deploy_model(config, replace=True), "one replica", "Set replicas to 1")


def test_a_name_that_is_taken(world: World) -> None:
    config = world.harness.config("v1", name="churn")
    refused(ServerAlreadyExists, lambda: world.deployer.deploy_model(config), str(world.server.uuid), "replace=True")


OF_A_UUID: dict[str, Callable[[ProcessModelDeployer, UUID, int], object]] = {
    "stop": lambda d, uuid, timeout: d.stop_model_server(uuid, timeout),
    "start": lambda d, uuid, timeout: d.start_model_server(uuid, timeout),
    "delete": lambda d, uuid, timeout: d.delete_model_server(uuid, timeout),
    "rollback": lambda d, uuid, timeout: d.rollback(uuid, timeout=timeout),
}


@pytest.mark.parametrize("operation", OF_A_UUID)
def test_a_uuid_that_nobody_has(world: World, operation: str) -> None:
    refused(ServerNotFound, lambda: OF_A_UUID[operation](world.deployer, NOBODY, 10), str(NOBODY))


@pytest.mark.parametrize("operation", OF_A_UUID)
def test_a_negative_timeout(world: World, operation: str) -> None:
    refused(InvalidRequest, lambda: OF_A_UUID[operation](world.deployer, world.server.uuid, -1), "-1 s")


def test_a_negative_timeout_of_a_deploy_or_a_reconcile(world: World) -> None:
    config = world.harness.config("v2", name="churn")
    refused(InvalidRequest, lambda: world.deployer.deploy_model(config, replace=True, timeout=-1), "-1 s")
    refused(InvalidRequest, lambda: world.deployer.reconcile(-1), "-1 s")


def test_a_revision_to_roll_back_to_that_nobody_remembers(world: World) -> None:
    with pytest.raises(deployer.errors.NothingToRollBackTo, match="no revision 9"):
        world.deployer.rollback(world.server.uuid, revision=9)


def test_an_unknown_flavor() -> None:
    refused(UnknownName, lambda: deployer.load("kubernets"), "kubernets", "process")


def test_an_unknown_setting() -> None:
    refused(InvalidConfig, lambda: deployer.load("process", states_dir="x"), "states_dir", "state_dir")


def test_a_gateway_port_that_is_taken(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        mine = deployer.load("process", state_dir=tmp_path / "state", gateway_port=port)
        config = ProcessHarness(tmp_path).config("v1")
        refused(PortTaken, lambda: mine.deploy_model(config), str(port))
        assert mine.find_model_server() == []
    assert not list((tmp_path / "state" / "workloads").glob("*"))


def test_a_state_directory_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    mine = deployer.load("process", state_dir=tmp_path / "file" / "state")
    refused(StateDirectoryUnusable, mine.find_model_server, str(tmp_path / "file" / "state"), "state_dir")


def test_a_prefect_server_that_cannot_be_reached(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    environment = os.environ | {
        "PREFECT_API_URL": f"http://127.0.0.1:{port}/api",
        "PREFECT_HOME": str(tmp_path),
        "PREFECT_CLIENT_MAX_RETRIES": "0",
    }
    program = (
        "import deployer\n"
        "try:\n    deployer.load('process-model-deployer/prod')\n"
        "except deployer.errors.PrefectUnavailable as error:\n    print(error)\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, timeout=120, check=True
    )
    assert "PREFECT_API_URL" in run.stdout and "goes on serving" in run.stdout


def test_a_model_that_crashes_on_load_says_so_in_its_error(churn: World, tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "MLmodel").write_text("flavors:\n  python_function:\n    loader_module: nobodys_package\n")
    with pytest.raises(RevisionRefused) as raised:
        churn.deployer.deploy_model(mlflow_model(tmp_path / "model"), replace=True)
    assert "nobodys_package" in raised.value.log_tail
    assert "install it" in raised.value.hint and raised.value.exit_code
    assert raised.value.serving == "Revision 1 serves on as before."
    (found,) = churn.deployer.find_model_server()
    assert (found.uuid, found.url, found.revision) == (churn.server.uuid, churn.server.url, 1)
    assert churn.harness.ask(churn.server).answer == "v1"
