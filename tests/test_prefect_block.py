"""A Block's Prefect server that answers late, strangely or not at all."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from prefect.settings import PREFECT_API_KEY, PREFECT_API_URL, temporary_settings

import deployer
from deployer import prefect_block
from deployer.errors import DeployerError, PrefectUnavailable, Transient, UnknownName
from deployer.prefect_block import load_block
from deployer.secrets import resolve

SLUG = "process-model-deployer/prod"
ALLOWED_S = 1.5
Answer = Callable[[BaseHTTPRequestHandler], None]


def silence(handler: BaseHTTPRequestHandler) -> None:
    time.sleep(ALLOWED_S * 3)


def drops(handler: BaseHTTPRequestHandler) -> None:
    """Never silent for as long as a read may take, and never done."""
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    for _ in range(20):
        handler.wfile.write(b" ")
        time.sleep(ALLOWED_S / 5)


def status(code: int) -> Answer:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(code)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    return answer


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Answer], None]]:
    """Let the Prefect server answer so, and be asked under a short deadline."""
    monkeypatch.setattr(prefect_block, "ANSWERS_WITHIN_S", ALLOWED_S)
    answers: list[Answer] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            with suppress(OSError):  # It hung up.
                answers[-1](self)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads, server.block_on_close = True, False
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/api"
        with temporary_settings({PREFECT_API_URL: url, PREFECT_API_KEY: "a-key"}):
            yield answers.append
        server.shutdown()


@pytest.mark.parametrize("answer", [silence, drops])
def test_one_that_gives_no_whole_answer_is_given_up_in_time(serve: Callable[[Answer], None], answer: Answer) -> None:
    serve(answer)
    for ask in (lambda: deployer.load(SLUG), lambda: resolve({"TOKEN": "prefect:secret/token"})):
        began = time.monotonic()
        with pytest.raises(PrefectUnavailable, match="does not answer"):
            ask()
        assert time.monotonic() - began < 2 * ALLOWED_S


def test_it_may_be_asked_where_a_loop_runs(serve: Callable[[Answer], None]) -> None:
    serve(status(404))

    async def ask() -> None:
        load_block(SLUG)

    with pytest.raises(UnknownName, match=SLUG):
        asyncio.run(ask())


@pytest.mark.parametrize("code", [401, 403])
def test_one_that_refuses_is_not_taken_for_one_that_is_silent(serve: Callable[[Answer], None], code: int) -> None:
    serve(status(code))
    with pytest.raises(DeployerError, match=f"HTTP {code}") as caught:
        load_block(SLUG)
    assert "PREFECT_API_KEY" in caught.value.hint and not isinstance(caught.value, Transient)


def test_one_that_cannot_just_now_may_be_asked_again(serve: Callable[[Answer], None]) -> None:
    serve(status(500))
    with pytest.raises(PrefectUnavailable, match="HTTP 500"):
        load_block(SLUG)
