"""A Block whose Prefect server answers late, strangely or not at all."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from prefect.settings import PREFECT_API_KEY, PREFECT_API_URL, temporary_settings

import deployer
from deployer import prefect_block
from deployer.errors import DeployerError, PrefectUnavailable, Transient, UnknownName
from deployer.prefect_block import load_block
from deployer.secrets import resolve
from tests.prefect_server.ailing import Answer, ailing, drops, silence, status

SLUG = "process-model-deployer/prod"
ALLOWED_S = 1.5


@pytest.fixture(autouse=True)
def _in_a_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prefect_block, "ANSWERS_WITHIN_S", ALLOWED_S)


@contextmanager
def answered(answer: Answer) -> Iterator[None]:
    with ailing(answer) as url, temporary_settings({PREFECT_API_URL: url, PREFECT_API_KEY: "a-key"}):
        yield


@pytest.mark.parametrize("answer", [silence, drops])
def test_one_that_gives_no_whole_answer_is_given_up_in_time(answer: Answer) -> None:
    with answered(answer):
        for ask in (lambda: deployer.load(SLUG), lambda: resolve({"TOKEN": "prefect:secret/token"})):
            began = time.monotonic()
            with pytest.raises(PrefectUnavailable, match="does not answer"):
                ask()
            assert time.monotonic() - began < 2 * ALLOWED_S


def test_it_may_be_asked_where_a_loop_runs() -> None:
    async def ask() -> None:
        load_block(SLUG)

    with answered(status(404)), pytest.raises(UnknownName, match=SLUG):
        asyncio.run(ask())


@pytest.mark.parametrize("code", [401, 403])
def test_one_that_refuses_is_not_taken_for_one_that_is_silent(code: int) -> None:
    with answered(status(code)), pytest.raises(DeployerError, match=f"HTTP {code}") as caught:
        load_block(SLUG)
    assert "PREFECT_API_KEY" in caught.value.hint and not isinstance(caught.value, Transient)


def test_one_that_cannot_just_now_may_be_asked_again() -> None:
    with answered(status(500)), pytest.raises(PrefectUnavailable, match="HTTP 500"):
        load_block(SLUG)
