"""A real MLflow model behind the runtime `mlflow`: started as the process flavor starts it, asked as users ask it."""

import http.client
import json
import os
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import numpy as np
import pandas as pd
import pytest

from deployer.client import predict
from deployer.config import ModelServerConfig
from deployer.errors import PredictionFailed
from deployer.http import NoAnswer, request
from deployer.processes.held import HeldProcess
from deployer.runtimes import runtime_of
from deployer.server import ModelServer, State
from deployer.store import Store

pytestmark = pytest.mark.xdist_group("mlflow")

TRAIN = """
import sys
import mlflow.sklearn
from mlflow.models import infer_signature
from sklearn.datasets import load_iris
from sklearn.tree import DecisionTreeClassifier

flowers, kinds = load_iris(return_X_y=True, as_frame=True)
flowers.iloc[0, 0] = float("nan")
model = DecisionTreeClassifier(max_depth=3, random_state=0).fit(flowers, kinds)
mlflow.sklearn.save_model(
    model, sys.argv[1], pip_requirements=[], serialization_format="cloudpickle",
    signature=infer_signature(flowers, model.predict(flowers)) if "signed" in sys.argv else None,
)
"""
READY_WITHIN_S = 90
SETOSA, VIRGINICA = [5.1, 3.5, 1.4, 0.2], [6.5, 3.0, 5.8, 2.2]
COLUMNS = ["sepal length (cm)", "sepal width (cm)", "petal length (cm)", "petal width (cm)"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("mlflow")


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[ModelServer]:
    yield from serving(folder, "plain")


@pytest.fixture(scope="module")
def signed(folder: Path) -> Iterator[ModelServer]:
    yield from serving(folder, "signed")


def serving(folder: Path, kind: str) -> Iterator[ModelServer]:
    env = os.environ | {"MLFLOW_DISABLE_TELEMETRY": "true"}
    command = [sys.executable, "-c", TRAIN, str(folder / kind), kind]
    subprocess.run(command, check=True, timeout=120, env=env, cwd=folder, capture_output=True)
    store = Store(folder / "store")
    model = store.path(store.add(str(folder / kind)))
    config = ModelServerConfig(model_uri=str(folder / kind), model_name=kind)
    process = HeldProcess(folder / f"{kind}-server")
    process.prepare()
    try:
        start(process, config, model)
        server = described(config, model, f"http://127.0.0.1:{process.port()}")
        await_ready(server, process)
        yield server
    finally:
        process.stop(1)


def start(process: HeldProcess, config: ModelServerConfig, model: Path) -> None:
    launch = runtime_of("mlflow").launch(config)
    process.start(
        launch.argv,
        launch.env | {"PATH": os.environ["PATH"]},
        fill={"model": str(model), "revision": "7"},
        filled=list(launch.env),
        ports=[free_port() for _ in range(3)],
        takes_descriptor=launch.takes_descriptor,
    )


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def described(config: ModelServerConfig, model: Path, url: str) -> ModelServer:
    runtime, now = runtime_of("mlflow"), datetime.now(UTC)
    return ModelServer(
        uuid=uuid4(),
        name=config.model_name,
        url=url,
        prediction_url=url + runtime.prediction_path(config),
        state=State.READY,
        message="",
        revision=7,
        config=config,
        digest=model.parent.name,
        model_type=runtime.model_type(model),
        protocol=runtime.protocol,
        created_at=now,
        deployed_at=now,
    )


def await_ready(server: ModelServer, process: HeldProcess) -> None:
    path = runtime_of("mlflow").launch(server.config).readiness_path
    until = time.monotonic() + READY_WITHIN_S
    while not answers(server.url + path):
        log = (process.folder / "log").read_text()
        assert process.held(), f"it ended:\n{log}"
        assert time.monotonic() < until, f"it is not ready:\n{log}"
        time.sleep(0.05)


def answers(url: str) -> bool:
    try:
        return request("GET", url, timeout_s=5).ok
    except NoAnswer:
        return False


def test_it_says_what_it_is(server: ModelServer) -> None:
    assert server.model_type == "sklearn"


def test_each_answer_names_the_revision(server: ModelServer) -> None:
    answer = request("GET", f"{server.url}/ping", timeout_s=10)
    assert (answer.status, answer.headers["model-server-revision"]) == (200, "7")
    assert "server" not in answer.headers


@pytest.mark.parametrize(
    "flowers",
    [
        [SETOSA, VIRGINICA],
        (tuple(SETOSA), tuple(VIRGINICA)),
        np.array([SETOSA, VIRGINICA]),
        np.array([SETOSA, VIRGINICA], dtype=np.float32),
        [np.array(SETOSA), VIRGINICA],
        pd.DataFrame([SETOSA, VIRGINICA], columns=COLUMNS),
        {"inputs": np.array([SETOSA, VIRGINICA])},
        {"instances": [SETOSA, VIRGINICA]},
        [dict(zip(COLUMNS, SETOSA, strict=True)), dict(zip(COLUMNS, VIRGINICA, strict=True))],
    ],
    ids=lambda flowers: type(flowers).__name__,
)
def test_it_predicts_from_whatever_holds_the_numbers(server: ModelServer, flowers: object) -> None:
    assert predict(server, flowers) == [0, 2]


def test_a_missing_number_arrives_as_one(server: ModelServer) -> None:
    complete, missing = np.array([VIRGINICA]), np.array([[float("nan"), *VIRGINICA[1:]]])
    assert predict(server, missing) == predict(server, complete)


def test_a_model_with_named_columns_takes_frames_records_and_columns(signed: ModelServer) -> None:
    row = dict(zip(COLUMNS, VIRGINICA, strict=True))
    frame = pd.DataFrame([row])
    shuffled = frame[COLUMNS[::-1]].set_index(pd.Index([41]))
    for flowers in (frame, shuffled, [row], {name: [value] for name, value in row.items()}):
        assert predict(signed, flowers) == [2]


def test_a_model_with_named_columns_says_what_it_misses(signed: ModelServer) -> None:
    with pytest.raises(PredictionFailed, match=r"missing inputs .*petal width") as refused:
        predict(signed, [VIRGINICA])
    assert refused.value.status == 400
    assert "DataFrame" in refused.value.hint
    assert "Traceback" not in str(refused.value)


def test_answers_on_a_kept_connection_wait_for_no_delayed_ack(server: ModelServer) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", int(server.url.rpartition(":")[2]), timeout=30)
    body, times = json.dumps({"inputs": [SETOSA]}), []
    for _ in range(60):
        began = time.perf_counter()
        connection.request("POST", "/invocations", body=body, headers={"Content-Type": "application/json"})
        assert connection.getresponse().read()
        times.append(time.perf_counter() - began)
    connection.close()
    # The fastest tenth: a busy machine slows some answers down, a delayed ACK (40 ms) all of them.
    fast = statistics.quantiles(times, n=10)[0]
    assert fast < 0.03, "the socket that the server inherits must have TCP_NODELAY set by whoever binds it"
