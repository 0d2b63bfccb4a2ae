import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from deployer.http import NoAnswer, request

Serve = Callable[[Callable[[socket.socket], None]], str]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Starts a server that hands its one connection to a function; gives its URL."""
    with ExitStack() as ends:

        def start(answer: Callable[[socket.socket], None]) -> str:
            listener = ends.enter_context(socket.create_server(("127.0.0.1", 0)))
            listener.settimeout(10)

            def once() -> None:
                connection, _ = listener.accept()
                with connection:
                    connection.settimeout(10)
                    connection.recv(65536)
                    answer(connection)

            thread = threading.Thread(target=once, daemon=True)
            thread.start()
            ends.callback(thread.join, 10)
            return f"http://127.0.0.1:{listener.getsockname()[1]}"

        yield start


class Echo(BaseHTTPRequestHandler):
    """Answers with what it was asked for."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(self.path.encode())

    def log_message(self, format: str, *args: object) -> None:
        """Nobody reads it."""


@pytest.fixture
def echo() -> Iterator[str]:
    """The URL of one."""
    with HTTPServer(("127.0.0.1", 0), Echo) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join(10)


def test_an_answer_has_status_headers_and_body(serve: Serve) -> None:
    url = serve(lambda c: c.sendall(b"HTTP/1.1 503 No\r\nX-Why: tired\r\nContent-Length: 9\r\n\r\nfirst\ntwo"))
    answer = request("GET", url + "/a?b=c", timeout_s=5)
    assert (answer.status, answer.headers["x-why"], answer.body) == (503, "tired", b"first\ntwo")
    assert (answer.ok, answer.first_line) == (False, "first")


@pytest.mark.parametrize(
    ("asked", "sent"),
    [
        ("/größe?wert=groß", "/gr%C3%B6%C3%9Fe?wert=gro%C3%9F"),
        ("/two words?of=one thing", "/two%20words?of=one%20thing"),
        ("/models/a%20b:predict;v=1?x=[1,2]&y=/2?", "/models/a%20b:predict;v=1?x=[1,2]&y=/2?"),
        ("", "/"),
    ],
)
def test_what_a_url_may_not_hold_is_encoded_and_all_else_sent_as_it_is(echo: str, asked: str, sent: str) -> None:
    assert request("GET", echo + asked, timeout_s=5).body.decode() == sent


def test_an_answer_without_a_length_ends_with_the_connection(serve: Serve) -> None:
    url = serve(lambda c: c.sendall(b"HTTP/1.1 200 OK\r\n\r\nall of it"))
    assert request("POST", url, body=b"{}", timeout_s=5).body == b"all of it"


def test_nothing_listening_is_no_answer_and_no_timeout() -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        with pytest.raises(NoAnswer) as raised:
            request("GET", f"http://127.0.0.1:{bound.getsockname()[1]}", timeout_s=5)
    assert not raised.value.timed_out


def test_half_a_body_is_no_answer(serve: Serve) -> None:
    url = serve(lambda c: c.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"))
    with pytest.raises(NoAnswer):
        request("GET", url, timeout_s=5)


def test_a_silent_server_times_out(serve: Serve) -> None:
    done = threading.Event()

    def say_nothing(_: socket.socket) -> None:
        done.wait(10)

    url = serve(say_nothing)
    try:
        with pytest.raises(NoAnswer) as raised:
            request("GET", url, timeout_s=0.2)
    finally:
        done.set()
    assert raised.value.timed_out


def test_a_body_that_stops_halfway_meets_the_deadline(serve: Serve) -> None:
    done = threading.Event()

    def stall(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n.")
        done.wait(10)

    url, began = serve(stall), time.monotonic()
    try:
        with pytest.raises(NoAnswer) as raised:
            request("GET", url, timeout_s=0.4)
    finally:
        done.set()
    assert raised.value.timed_out
    assert time.monotonic() - began < 2


def test_a_body_that_drips_meets_the_deadline_too(serve: Serve) -> None:
    done = threading.Event()

    def drip(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        while not done.wait(0.05):
            connection.sendall(b".")

    url, began = serve(drip), time.monotonic()
    try:
        with pytest.raises(NoAnswer) as raised:
            request("GET", url, timeout_s=0.4)
    finally:
        done.set()
    assert raised.value.timed_out
    assert time.monotonic() - began < 2
