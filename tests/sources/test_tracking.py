"""Models of a real MLflow tracking server."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from deployer.errors import AccessDenied, InvalidConfig, ModelNotFound, SourceUnavailable, Unsupported
from deployer.leftovers import size_of
from deployer.sources.tracking import Located, _has, look
from deployer.sources.watch import Watch
from deployer.store import Store
from tests.sources.conftest import BIN, content_of, impatient, left_in
from tests.sources.servers.artifacts import Artifacts
from tests.sources.servers.programs import free_port, program
from tests.sources.servers.web import answers, breaks_off_after, hangs, serving
from tests.sources.test_deploys import BEGINS
from tests.sources.test_web import LARGE

pytestmark = [pytest.mark.xdist_group("mlflow"), pytest.mark.timeout(400)]
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

    def log(self, content: str, folder: Path) -> None:
        """A run that logged a model, and a file beside it, and a registered version of that model."""
        import mlflow

        client = mlflow.MlflowClient()
        write(folder, content)
        run = client.create_run("0").info.run_id
        client.log_artifact(run, str(folder / "weights.txt"), "files")
        model = client.create_logged_model("0", name="model", source_run_id=run)
        client.log_model_artifacts(model.model_id, str(folder))
        client.finalize_logged_model(model.model_id, "READY")
        client.create_model_version("churn", f"models:/{model.model_id}", run, model_id=model.model_id)
        self.models[content] = {"run": run, "id": model.model_id}


def write(folder: Path, content: str) -> None:
    (folder / "artifacts").mkdir(parents=True, exist_ok=True)
    for file in ("weights.txt", "artifacts/weights.txt"):
        (folder / file).write_text(content)
    (folder / "MLmodel").write_text("flavors: {}")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tracking]:
    folder, port = tmp_path_factory.mktemp("mlflow"), free_port()
    command = [str(BIN / "mlflow"), "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    places = ["--backend-store-uri", f"sqlite:///{folder}/db", "--artifacts-destination", str(folder / "artifacts")]
    environment = os.environ | SETTINGS | {"MLFLOW_ALLOWED_HOST_ADDRESSED_ARTIFACT_SCHEMES": "http"}
    with program([*command, *places], port, folder / "log", environment) as address:
        with pytest.MonkeyPatch.context() as patch:
            for name, value in (SETTINGS | {"MLFLOW_TRACKING_URI": address}).items():
                patch.setenv(name, value)
            import mlflow

            tracking = Tracking(address)
            mlflow.MlflowClient().create_registered_model("churn")
            for content in ("one", "two"):
                tracking.log(content, folder / "logged")
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
def test_each_way_to_name_a_model_leads_to_its_bytes(uri: str, expected: str, store: Store, tracking: Tracking) -> None:
    digest = store.add(uri.format(**tracking.models))
    assert weights(store, digest) == expected
    assert "MLmodel" in content_of(store, digest)
    assert left_in(store) == {digest}


def test_other_artifacts_of_a_run_are_a_model_too(store: Store, tracking: Tracking) -> None:
    folder = store.add("runs:/{one[run]}/files".format(**tracking.models))
    assert content_of(store, folder) == {"weights.txt": b"one"}
    file = store.add("runs:/{one[run]}/files/weights.txt".format(**tracking.models))
    assert store.path(file).is_file()
    assert content_of(store, file) == {"weights.txt": b"one"}


def test_what_runs_keep_on_this_machine_is_copied(
    store: Store, tmp_path: Path, tracking: Tracking, monkeypatch: pytest.MonkeyPatch
) -> None:
    import mlflow

    client = mlflow.MlflowClient()
    write(tmp_path / "local", "here")
    experiment = client.create_experiment(f"local of {tmp_path}", (tmp_path / "artifacts").as_uri())
    run = client.create_run(experiment).info.run_id
    client.log_artifacts(run, str(tmp_path / "local"), "files")
    assert weights(store, store.add(f"runs:/{run}/files")) == "here"


@pytest.fixture
def elsewhere(tracking: Tracking) -> Iterator[tuple[Artifacts, str]]:
    """A server that keeps the artifacts of one run, and the URI of a model among them."""
    import mlflow

    web = Artifacts()
    with serving(web):
        client = mlflow.MlflowClient()
        experiment = client.create_experiment(f"at {web.address}", web.location)
        run = client.create_run(experiment).info
        folder = run.artifact_uri.removeprefix(web.location)
        web.files |= {f"{folder}/files/MLmodel": b"flavors: {}", f"{folder}/files/w.bin": LARGE}
        yield web, f"runs:/{run.run_id}/files"


def test_artifacts_kept_elsewhere_are_read_there(store: Store, elsewhere: tuple[Artifacts, str]) -> None:
    assert content_of(store, store.add(elsewhere[1])) == {"MLmodel": b"flavors: {}", "w.bin": LARGE}


@pytest.mark.parametrize(("status", "error"), [(403, AccessDenied), (404, ModelNotFound)])
def test_an_artifact_that_is_refused_is_not_asked_for_again(
    status: int, error: type[Exception], store: Store, elsewhere: tuple[Artifacts, str]
) -> None:
    web, uri = elsewhere
    web.faults.extend([answers(status)] * 2)
    with pytest.raises(error):
        store.add(uri)
    assert len(web.faults) == 0
    assert left_in(store) == set()


def test_an_artifact_that_breaks_off_is_read_again(store: Store, elsewhere: tuple[Artifacts, str]) -> None:
    web, uri = elsewhere
    web.faults.extend([breaks_off_after(5), answers(500), breaks_off_after(5)])
    assert content_of(store, store.add(uri))["w.bin"] == LARGE


def test_an_artifact_that_stops_coming_is_given_up(store: Store, elsewhere: tuple[Artifacts, str]) -> None:
    web, uri = elsewhere
    web.faults.extend([hangs(60)] * 2)
    with pytest.raises(SourceUnavailable, match="nothing came for 12 s"):
        store.add(uri, impatient(12, until=time.monotonic() + 60))


def test_a_disk_that_runs_full_is_told_as_such(store: Store, elsewhere: tuple[Artifacts, str]) -> None:
    limited = "import resource\nresource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))"
    command = [sys.executable, "-c", BEGINS.format(before=limited), str(store.root), elsewhere[1]]
    said = subprocess.run(command, capture_output=True, text=True, timeout=90, check=True).stdout
    assert str(store.root) in said
    assert "Free some space" in said
    assert left_in(store) == set()


def test_what_is_local_and_was_broken_off_is_copied_anew(
    tmp_path: Path, tracking: Tracking, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "local", "here")
    (tmp_path / "work" / "fetched").mkdir(parents=True)
    (tmp_path / "work" / "fetched" / "MLmodel").write_text("flav")
    model = look("models:/churn/1")
    monkeypatch.setattr(model, "_locate", lambda: model._located)
    model._located = Located(str(tmp_path / "local"), "")
    assert (model.bring(tmp_path / "work", Watch()).path / "MLmodel").read_text() == "flavors: {}"


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


def test_a_file_that_is_renamed_while_it_is_measured_is_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Path, "is_file", lambda path: True)
    monkeypatch.setattr(os, "walk", lambda folder: [(str(folder), [], ["renamed"])])
    assert not _has(tmp_path / "renamed", 5)
    assert size_of(tmp_path) == 0


def test_a_tracking_server_that_is_not_there_is_told(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    with pytest.raises(SourceUnavailable) as failed:
        store.add("models:/churn/1", impatient(60))
    assert "models:/churn/1" in failed.value.what


def test_mlflow_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mlflow", None)
    with pytest.raises(Unsupported) as unsupported:
        look("models:/churn/1")
    assert "pip install 'prefect-model-deployer[mlflow]'" in unsupported.value.hint
