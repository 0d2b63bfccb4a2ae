"""The suite's own model server behaves as its model says."""

import http.client
import json
import shlex
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from deployer.testing.models import command_line, write_model

Run = Callable[..., "Running"]
DEADLINE_S = 15


class Running:
    """A model server in a process of its own."""

    def __init__(self, model: Path) -> None:
        self.port = free_port()
        line = command_line().replace("{port}", str(self.port)).replace("{model}", shlex.quote(str(model)))
        self.process = subprocess.Popen(shlex.split(line), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=DEADLINE_S)

    def ask(self, method: str = "POST", path: str = "/") -> tuple[int, object]:
        return asked(self.connect(), method, path)

    def ready(self) -> "Running":
        until = time.monotonic() + DEADLINE_S
        while time.monotonic() < until:
            with suppress(ConnectionRefusedError):
                assert self.ask("GET", "/ping")[0] == 200
                return self
            time.sleep(0.01)
        raise AssertionError("not ready")


def asked(connection: http.client.HTTPConnection, method: str = "POST", path: str = "/") -> tuple[int, object]:
    connection.request(method, path, body=b"[]" if method == "POST" else None)
    response = connection.getresponse()
    return response.status, json.loads(response.read())


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    with ExitStack() as ends:

        def start(**model: object) -> Running:
            running = Running(write_model(tmp_path / "model", **{"answer": "v1", "delay_s": 0} | model))  # type: ignore[arg-type]
            ends.callback(end, running.process)
            return running

        yield start


def end(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.communicate(timeout=DEADLINE_S)


def test_it_answers_what_its_model_says_on_one_kept_connection(run: Run) -> None:
    connection = run(answer="v7").ready().connect()
    connection.connect()
    kept = connection.sock
    assert asked(connection, path="/any/path") == (200, {"answer": "v7"})
    assert asked(connection, "GET", "/ping")[0] == 200
    assert connection.sock is kept


def test_it_reads_chunked_requests(run: Run) -> None:
    connection = run().ready().connect()
    for _ in range(2):
        connection.request("POST", "/", body=iter([b"[1,", b"2]"]), encode_chunked=True)
        assert json.loads(connection.getresponse().read()) == {"answer": "v1"}


def test_other_paths_are_not_found(run: Run) -> None:
    assert run().ready().ask("GET", "/metrics")[0] == 404


def test_exit_says_why_and_ends_with_7(run: Run) -> None:
    process = run(mode="exit").process
    assert process.communicate(timeout=DEADLINE_S)[0] == "cannot load model\n"
    assert process.returncode == 7


def test_hang_never_opens_its_port_and_ends_on_term(run: Run) -> None:
    running = run(mode="hang")
    with pytest.raises(subprocess.TimeoutExpired):
        running.process.wait(0.5)
    with pytest.raises(ConnectionRefusedError):
        running.ask()
    running.process.terminate()
    assert running.process.wait(DEADLINE_S) == -signal.SIGTERM


def test_sick_says_so(run: Run) -> None:
    running = run(mode="sick")
    assert running.process.stdout
    assert "serving" in running.process.stdout.readline()
    assert running.ask("GET", "/ping")[0] == 500
    assert running.ask()[0] == 200


def test_once_ends_with_3_a_moment_after_it_was_ready(run: Run) -> None:
    running = run(mode="once").ready()
    assert running.ask()[0] == 200
    assert running.process.wait(DEADLINE_S) == 3


def test_term_ends_it_with_0_though_connections_are_kept(run: Run) -> None:
    running = run().ready()
    connection = running.connect()
    asked(connection)
    running.process.terminate()
    assert running.process.wait(DEADLINE_S) == 0


def test_term_lets_a_request_in_flight_finish_and_takes_no_other(run: Run) -> None:
    running = run(work_s=0.5).ready()
    connection = running.connect()
    connection.request("POST", "/", body=b"[]")
    until_accepted(running)
    running.process.terminate()
    response = connection.getresponse()
    assert json.loads(response.read()) == {"answer": "v1"}
    assert response.getheader("Connection") == "close"
    assert running.process.wait(DEADLINE_S) == 0
    with pytest.raises(ConnectionRefusedError):
        running.ask()


def until_accepted(running: Running) -> None:
    """The server takes connections in order: once a later one is answered, it has the earlier."""
    assert running.ask("GET", "/ping")[0] == 200


def test_usr2_makes_it_hang_and_term_still_ends_it(run: Run) -> None:
    running = run().ready()
    running.process.send_signal(signal.SIGUSR2)
    until = time.monotonic() + DEADLINE_S
    while answers(running):
        assert time.monotonic() < until
    running.process.terminate()
    assert running.process.wait(DEADLINE_S) == 0


def answers(running: Running) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", running.port, timeout=0.3)
    try:
        return asked(connection, "GET", "/ping")[0] == 200
    except TimeoutError:
        return False
    finally:
        connection.close()


def test_a_mode_that_does_not_exist_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="sleepy"):
        write_model(tmp_path, "v1", mode="sleepy")
