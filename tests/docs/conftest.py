"""Who reads the pages: everybody with a new home, a small model, and where the page needs one a Prefect server."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import psutil
import pytest

from deployer.flavors.process.settings import ProcessSettings
from deployer.ports import free_port
from deployer.state_directory import default_state_directory
from tests.docs.reader import Reader
from tests.prefect_server.fixtures import PrefectServer, running_server, until_closed
from tests.support.certificates import issue

HOST = "models.example.org"
"""The machine of the docs, which is this one here."""

TRAIN = """
import sys
import mlflow.sklearn
from sklearn.datasets import load_iris
from sklearn.tree import DecisionTreeClassifier

model = DecisionTreeClassifier(max_depth=2, random_state=0).fit(*load_iris(return_X_y=True))
mlflow.sklearn.save_model(model, sys.argv[1], pip_requirements=["scikit-learn"], serialization_format="cloudpickle")
"""


@pytest.fixture(scope="session")
def prefect_of_the_docs(
    tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config
) -> Iterator[PrefectServer]:
    """Of their own, as the pages make there what other tests make too."""
    with running_server(pytestconfig, tmp_path_factory.mktemp("prefect-of-the-docs")) as server:
        yield server


@pytest.fixture(scope="session")
def churn(pytestconfig: pytest.Config) -> Path:
    """A model, trained once for each version of what made it."""
    assert pytestconfig.cache
    made_by = "-".join(version(package) for package in ("mlflow-skinny", "scikit-learn"))
    kept = pytestconfig.cache.mkdir("model-of-the-docs") / made_by
    if not kept.exists():
        unfinished = kept.with_name(f"{made_by}-{os.getpid()}")
        subprocess.run([sys.executable, "-c", TRAIN, unfinished], check=True, capture_output=True, timeout=120)
        try:
            unfinished.rename(kept)
        except OSError:  # Another worker was faster.
            shutil.rmtree(unfinished)
    return kept


@pytest.fixture
def reader(request: pytest.FixtureRequest, tmp_path: Path, churn: Path) -> Iterator[Reader]:
    """Of the page that is the test's parameter; all that it starts ends with the test."""
    home, folder, port = tmp_path / "home", tmp_path / "folder", free_port()
    (folder / "models").mkdir(parents=True)
    home.mkdir()
    shutil.copytree(churn, folder / "models" / "churn")
    # An answer of 401 or 503 is a failure here.
    (home / ".curlrc").write_text(f"fail\nsilent\nshow-error\nresolve = {HOST}:{port}:127.0.0.1\n")
    instead = {"8400": str(port), "/etc/tls": str(_certificates(home / "tls"))}
    if "4200" in request.getfixturevalue("page").read_text(encoding="utf-8"):
        server: PrefectServer = request.getfixturevalue("prefect_of_the_docs")
        instead["4200"] = server.api_url.removesuffix("/api").rpartition(":")[2]
    try:
        with until_closed(ProcessSettings(state_dir=_state_directory(home), gateway_port=port)) as deployer:
            deployer.gateway.ensure()
            yield Reader(home, folder, instead)
    finally:
        _end_all_of(home)


def _certificates(folder: Path) -> Path:
    """The files that the docs speak of: a certificate that is its own authority, and its key."""
    made = issue(folder, "models", HOST)
    for name, file in {"models": made.certificate, "own-authority": made.certificate, "models-key": made.key}.items():
        shutil.copy(file, folder / f"{name}.pem")
    return folder


def _state_directory(home: Path) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(home))
        patch.delenv("XDG_STATE_HOME", raising=False)
        return default_state_directory()


def _end_all_of(home: Path) -> None:
    ours = [process for process in psutil.process_iter() if _home_of(process) == str(home)]
    for process in ours:
        process.kill()
    psutil.wait_procs(ours, timeout=10)


def _home_of(process: psutil.Process) -> str:
    try:
        return process.environ().get("HOME", "")
    except psutil.Error:
        return ""
