"""The soak, so short that it can run with the other tests; and that it sees what is wrong."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from operator import methodcaller
from pathlib import Path
from typing import cast

import pytest

from deployer.errors import EngineError, GatewayDown, RevisionRefused, RouteMoved, Superseded
from deployer.records.record import Outcome
from deployer.server import ModelServer
from deployer.testing.faults import Killed
from deployer.testing.models import write_model
from deployer.testing.process import ProcessHarness
from deployer.testing.victims import Victim
from tests.soak.attempt import Attempt
from tests.soak.errands import Errand
from tests.soak.figures import Figures
from tests.soak.ground import settle, silent

ERRAND = Errand("replace", methodcaller("nothing"), "churn", "v2", may_raise=(Superseded, GatewayDown))


@pytest.fixture
def harness(tmp_path: Path) -> Iterator[ProcessHarness]:
    with closing(ProcessHarness(tmp_path)) as mine:
        yield mine


@pytest.fixture
def server(harness: ProcessHarness) -> ModelServer:
    return harness.deployer().deploy_model(harness.config("v1"))


@pytest.mark.timeout(400)
def test_a_short_soak_prints_its_figures_and_finds_nothing_wrong() -> None:
    command = [sys.executable, "-m", "tests.soak", "storm", "outages", "--seed", "7"]
    command += ["--kills", "1", "--freezes", "1", "--outages", "1"]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    figures = dict(line.rsplit(maxsplit=1) for line in ran.stdout.splitlines() if len(line.split()) == 2)
    assert "0" not in [figures[name] for name in ("kills", "freezes", "outages", "requests", "seconds")]
    assert [figures[name] for name in ("failed", "survivors", "violations", "untruths")] == ["0"] * 4


def test_a_part_that_nobody_knows_is_an_error() -> None:
    ran = subprocess.run([sys.executable, "-m", "tests.soak", "sun"], capture_output=True, text=True, check=False)
    assert ran.returncode == 2 and "sun" in ran.stderr


@pytest.mark.parametrize("field", ["failed", "survivors", "violations", "untruths"])
def test_whatever_is_wrong_makes_it_fail(field: str) -> None:
    figures = Figures()
    assert figures.wrong == []
    getattr(figures, field).append("something")
    assert figures.wrong == ["something"]


@pytest.mark.parametrize("told", [None, Killed(), Superseded("later"), GatewayDown("down")])
def test_a_caller_may_be_told_what_is_true(told: BaseException | None) -> None:
    assert _told(told).untruths() == []


@pytest.mark.parametrize("told", [RouteMoved("moved"), RevisionRefused("bad"), ValueError("what")])
def test_a_caller_must_not_be_told_anything_else(told: BaseException) -> None:
    assert len(_told(told).untruths()) == 1


def test_while_something_is_dead_a_caller_may_be_told_any_error_of_ours() -> None:
    assert _told(EngineError("dead")).untruths(excused=True) == []
    assert _told(RouteMoved("moved")).untruths(excused=True) and _told(ValueError("what")).untruths(excused=True)


def test_a_deploy_that_returned_and_never_served_is_seen(harness: ProcessHarness, server: ModelServer) -> None:
    history = harness.deployer().history(server.uuid)
    returned = Attempt(ERRAND, cast(Victim, None), returned=server)
    assert returned.unserved({}, history) == [] and returned.unserved({1: {"v2"}}, history) == []
    assert len(returned.unserved({1: {"v1"}}, history)) == 1, "another model answered"
    pending = [entry.model_copy(update={"outcome": Outcome.PENDING}) for entry in history]
    assert len(returned.unserved({}, pending)) == 1 and returned.unserved({1: {"v2"}}, pending) == []
    later = [entry.model_copy(update={"number": 2}) for entry in pending]
    assert returned.unserved({}, later) == [], "it is too old to be known"


def test_a_server_that_died_is_seen_and_brought_back(harness: ProcessHarness, server: ModelServer) -> None:
    assert silent(harness, [server]) == []
    harness.kill(server)
    assert len(silent(harness, [server])) == 1
    assert settle(harness) == [] and silent(harness, [server]) == []


def test_an_answer_that_is_not_the_registrys_is_seen(harness: ProcessHarness, server: ModelServer) -> None:
    write_model(Path(server.config.model_uri), "v2")
    assert "answers" in silent(harness, [server])[0]


def test_a_half_written_route_is_seen(harness: ProcessHarness, server: ModelServer) -> None:
    assert harness.leftovers() == []
    (harness.state_dir / "gateway" / "scratch" / f"{server.name}.yml.0123").touch()
    assert len(harness.leftovers()) == 1


def _told(error: BaseException | None) -> Attempt:
    return Attempt(ERRAND, cast(Victim, None), raised=error)
