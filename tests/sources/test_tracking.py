"""Models of a real MLflow tracking server."""

import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from deployer.errors import InvalidConfig, ModelNotFound, SourceUnavailable
from deployer.store import Store
from tests.sources.conftest import BIN, content_of, impatient, left_in
from tests.sources.servers.programs import free_port, program

pytestmark = pytest.mark.xdist_group("mlflow")
SETTINGS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "PYTHONDONTWRITEBYTECODE": "1",
}


@dataclass
class Tracking:
    """A tracking server that keeps the artifacts itself, and what was logged there."""

    address: str
    models: dict[str, Any] = field(default_factory=dict)

    def log(self, content: str, folder: Path, name: str = "churn") -> str:
        """A new version of a registered model, whose file says so."""
        import mlflow

        folder.mkdir(parents=True, exist_ok=True)
        (folder / "weights.txt").write_text(content)
        with mlflow.start_run() as run:
            logged = mlflow.pyfunc.log_model(
                name="model",
                python_model=str(_python_model(folder)),
                artifacts={"weights": str(folder / "weights.txt")},
                registered_model_name=name,
                pip_requirements=[],
            )
        self.models[content] = {"run": run.info.run_id, "id": logged.model_id, "version": logged.registered_model_version}
        return str(logged.registered_model_version)


def _python_model(folder: Path) -> Path:
    script = folder / "served.py"
    script.write_text(
        "import mlflow\n\n\nclass Served(mlflow.pyfunc.PythonModel):\n"
        "    def predict(self, context, model_input: list[str]) -> list[str]:\n        return model_input\n\n\n"
        "mlflow.models.set_model(Served())\n"
    )
    return script


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tracking]:
    folder, port = tmp_path_factory.mktemp("mlflow"), free_port()
    command = [str(BIN / "mlflow"), "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    places = ["--backend-store-uri", f"sqlite:///{folder}/db", "--artifacts-destination", str(folder / "artifacts")]
    with program([*command, *places], port, folder / "log", os.environ | SETTINGS) as address:
        with pytest.MonkeyPatch.context() as patch:
            for name, value in (SETTINGS | {"MLFLOW_TRACKING_URI": address}).items():
                patch.setenv(name, value)
            tracking = Tracking(address)
            for content in ("one", "two"):
                tracking.log(content, folder / "logged")
            import mlflow

            mlflow.MlflowClient().set_registered_model_alias("churn", "champion", "1")
        yield tracking


@pytest.fixture
def tracking(server: Tracking, nobodys_credentials: None, monkeypatch: pytest.MonkeyPatch) -> Tracking:
    for name, value in (SETTINGS | {"MLFLOW_TRACKING_URI": server.address}).items():
        monkeypatch.setenv(name, value)
    return server


def weights(store: Store, digest: str) -> str:
    return content_of(store, digest)["artifacts/weights.txt"].decode()


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("models:/churn/1", "one"),
        ("models:/churn/2", "two"),
        ("models:/churn/latest", "two"),
        ("models:/churn@champion", "one"),
        ("models:/{one[id]}", "one"),
        ("runs:/{two[run]}/model", "two"),
    ],
)
def test_each_way_to_name_a_model_leads_to_its_bytes(
    uri: str, expected: str, store: Store, tracking: Tracking
) -> None:
    digest = store.add(uri.format(**tracking.models))
    assert weights(store, digest) == expected
    assert "MLmodel" in content_of(store, digest)
    assert left_in(store) == {digest}


def test_a_version_that_is_here_is_not_fetched_again(
    store: Store, tracking: Tracking, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = store.add("models:/churn/1")

    def fetched_again(uri: str, version: str) -> None:
        raise AssertionError(f"{uri} is fetched again")

    monkeypatch.setattr(store._partials, "work", fetched_again)
    assert store.add("models:/churn/1") == first


def test_an_alias_that_is_moved_leads_to_the_other_version(store: Store, tracking: Tracking) -> None:
    import mlflow

    client = mlflow.MlflowClient()
    client.set_registered_model_alias("churn", "moving", "1")
    first = store.add("models:/churn@moving")
    client.set_registered_model_alias("churn", "moving", "2")
    second = store.add("models:/churn@moving")
    assert (weights(store, first), weights(store, second)) == ("one", "two")


@pytest.mark.parametrize(
    "uri",
    ["models:/churn/9", "models:/nobody/1", "models:/churn@nobody", "models:/nobody@x", "models:/nobody/latest",
     "models:/m-00000000000000000000000000000000", "runs:/00000000000000000000000000000000/model",
     "runs:/{one[run]}/nothing"],
)  # fmt: skip
def test_what_is_not_there_is_not_found(uri: str, store: Store, tracking: Tracking) -> None:
    with pytest.raises(ModelNotFound) as missing:
        store.add(uri.format(**tracking.models))
    assert uri.format(**tracking.models) in missing.value.what
    assert left_in(store) == set()


@pytest.mark.parametrize("uri", ["models:/churn", "models:churn/1", "runs:/abc", "models:/churn/Production"])
def test_a_uri_that_names_no_model_says_how_to_write_one(uri: str, store: Store, tracking: Tracking) -> None:
    with pytest.raises(InvalidConfig) as refused:
        store.add(uri)
    assert "models:/name@alias" in refused.value.hint


def test_a_tracking_server_that_is_not_there_is_told(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    with pytest.raises(SourceUnavailable) as failed:
        store.add("models:/churn/1", impatient(60))
    assert "models:/churn/1" in failed.value.what


def test_mlflow_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    from deployer.errors import Unsupported
    from deployer.sources.tracking import look

    monkeypatch.setitem(sys.modules, "mlflow", None)
    with pytest.raises(Unsupported) as unsupported:
        look("models:/churn/1")
    assert "pip install 'prefect-model-deployer[mlflow]'" in unsupported.value.hint
