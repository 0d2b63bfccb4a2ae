"""Predictions, and what is said when there are none. Real MLflow servers are asked in tests/runtimes."""

import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import replace
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from uuid import uuid4

import numpy as np
import pytest

from deployer.client import PROTOCOLS, predict
from deployer.config import ModelServerConfig
from deployer.errors import InvalidRequest, PredictionFailed, ServerStopped, UnknownName
from deployer.runtimes import RUNTIMES
from deployer.server import ModelServer, State

Answers = Callable[[bytes], tuple[int, bytes]]
Serve = Callable[[Answers], ModelServer]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Puts a function behind a URL."""
    with ExitStack() as ends:

        def start(answers: Answers) -> ModelServer:
            http = ThreadingHTTPServer(("127.0.0.1", 0), handler(answers))
            thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
            thread.start()
            ends.callback(thread.join, 10)
            ends.callback(http.server_close)
            ends.callback(http.shutdown)
            return described(http.server_port)

        yield start


def handler(answers: Answers) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            status, body = answers(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(status)
            # Who asked may have given up.
            with suppress(BrokenPipeError):
                self.end_headers()
                self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    return Handler


def described(port: int) -> ModelServer:
    now = datetime.now(UTC)
    return ModelServer(
        uuid=uuid4(),
        name="churn model",
        url=f"http://127.0.0.1:{port}/churn",
        prediction_url=f"http://127.0.0.1:{port}/churn/ask",
        state=State.READY,
        message="",
        revision=1,
        config=ModelServerConfig(model_uri="models/churn", model_name="churn model"),
        digest="0" * 64,
        model_type="",
        protocol=RUNTIMES["command"].protocol,
        created_at=now,
        deployed_at=now,
    )


def echo(body: bytes) -> tuple[int, bytes]:
    return 200, body


def test_every_runtime_speaks_a_protocol_that_is_known() -> None:
    assert {runtime.protocol for runtime in RUNTIMES.values()} <= PROTOCOLS.keys()


def test_a_command_gets_the_data_and_gives_the_answer_as_they_are(serve: Serve) -> None:
    assert predict(serve(echo), {"x": np.arange(3), "text": "ü"}) == {"x": [0, 1, 2], "text": "ü"}


@pytest.mark.parametrize(
    ("data", "sent"),
    [
        ([[1, 2]], {"inputs": [[1, 2]]}),
        ({"age": [1]}, {"inputs": {"age": [1]}}),
        ([{"age": 1}], {"dataframe_records": [{"age": 1}]}),
        ({"inputs": [1], "params": {"k": 2}}, {"inputs": [1], "params": {"k": 2}}),
        ([], {"inputs": []}),
    ],
)
def test_mlflow_is_asked_in_its_own_words(data: Any, sent: Any, serve: Serve) -> None:
    asked: list[Any] = []

    def answers(body: bytes) -> tuple[int, bytes]:
        asked.append(json.loads(body))
        return 200, b'{"predictions": [1, null]}'

    server = replace(serve(answers), protocol=RUNTIMES["mlflow"].protocol)
    assert predict(server, data) == [1, None]
    assert asked == [sent]


def test_an_mlflow_answer_without_predictions_comes_whole(serve: Serve) -> None:
    server = replace(serve(lambda _: (200, b'{"choices": []}')), protocol=RUNTIMES["mlflow"].protocol)
    assert predict(server, [1]) == {"choices": []}


def test_a_stopped_server_is_not_asked(serve: Serve) -> None:
    asked: list[bytes] = []

    def answers(body: bytes) -> tuple[int, bytes]:
        asked.append(body)
        return 200, b"1"

    with pytest.raises(ServerStopped) as stopped:
        predict(replace(serve(answers), state=State.STOPPED), [1])
    assert "model-deployer start 'churn model'" in stopped.value.hint
    assert asked == []


@pytest.mark.parametrize(
    ("status", "body", "said", "hint"),
    [
        (400, b'{"error_code": "BAD", "message": "no age", "stack_trace": "Traceback"}', "no age", "columns"),
        (422, b'{"detail": [{"msg": "too short"}]}', "too short", "columns"),
        (404, b"404 page not found", "404 page not found", "describe"),
        (500, b'{"error": "out of memory"}', "out of memory", "logs"),
        (502, b"Bad Gateway", "Bad Gateway", "describe"),
        (503, b"no available server", "no available server", "describe"),
        (500, b"", "answered 500.", "logs"),
        (500, b"[1]", "[1]", "logs"),
        (500, b"\xff\x00", "500", "logs"),
    ],
)
def test_an_error_tells_what_the_server_said_and_what_to_do(
    status: int, body: bytes, said: str, hint: str, serve: Serve
) -> None:
    with pytest.raises(PredictionFailed) as failed:
        predict(serve(lambda _: (status, body)), [1])
    assert failed.value.status == status
    assert said in failed.value.what
    assert "Traceback" not in failed.value.what
    assert hint in failed.value.hint


def test_a_long_message_is_shortened(serve: Serve) -> None:
    with pytest.raises(PredictionFailed) as failed:
        predict(serve(lambda _: (500, b"x" * 100_000)), [1])
    assert len(failed.value.what) < 1000


def test_an_answer_that_is_no_json_is_a_failure(serve: Serve) -> None:
    with pytest.raises(PredictionFailed, match="<html>") as failed:
        predict(serve(lambda _: (200, b"<html>")), [1])
    assert failed.value.status == 200


def test_a_refused_connection_says_how_to_bring_it_back(serve: Serve) -> None:
    port = 1  # nobody listens there
    with pytest.raises(PredictionFailed) as failed:
        predict(described(port), [1])
    assert failed.value.status == 0
    assert "reconcile" in failed.value.hint


def test_a_server_that_takes_too_long_is_not_waited_for(serve: Serve) -> None:
    woken = threading.Event()

    def answers(_: bytes) -> tuple[int, bytes]:
        woken.wait(10)
        return 200, b"1"

    try:
        with pytest.raises(PredictionFailed, match=r"0\.2 s") as failed:
            predict(serve(answers), [1], timeout=0.2)
    finally:
        woken.set()
    assert "timeout=" in failed.value.hint


@pytest.mark.parametrize("timeout", [0, -1])
def test_a_timeout_that_leaves_no_time_is_refused(timeout: float) -> None:
    with pytest.raises(InvalidRequest):
        predict(described(1), [1], timeout=timeout)


def test_an_unknown_protocol_says_where_to_ask() -> None:
    with pytest.raises(UnknownName) as unknown:
        predict(replace(described(1), protocol="grpc"), [1])
    assert "http://127.0.0.1:1/churn/ask" in unknown.value.hint


def test_asking_imports_neither_numpy_nor_pandas() -> None:
    program = (
        "import sys, deployer.client, deployer.plain as p; p.plain([1]); print({'numpy', 'pandas'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "set()"
