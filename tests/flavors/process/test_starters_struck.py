"""Rollouts whose starter, the small process that a server is started by, is killed or frozen on its way."""

import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from signal import SIGKILL, SIGSTOP, Signals, raise_signal
from typing import Any

import psutil
import pytest

from deployer.engine_deployer import EngineModelDeployer
from deployer.errors import Superseded
from deployer.processes.held import HeldProcess
from deployer.processes.instructions import Outcome
from deployer.testing.process import ProcessHarness
from deployer.testing.suite.killed import REST_S, assert_killed, assert_serves, replace_with
from deployer.testing.victims import Act, Victim, elsewhere

POINTS = ("locked", "counted", "addressed", "forked", "named", "released")
TRIES = ("first", "second", "third")
COMES_WITHIN_S = 20.0


@dataclass(frozen=True)
class StarterStruck:
    """An act whose first starter is struck at a point; `fatal`: its deployer is killed then.

    For a process that does nothing else.
    """

    act: Act
    point: str
    number: Signals
    fatal: bool = False

    def __call__(self, deployer: EngineModelDeployer) -> Any:
        whole = HeldProcess.start

        def start(process: HeldProcess, *args: Any, **named: Any) -> Outcome:
            HeldProcess.start = whole  # type: ignore[method-assign]
            try:
                return whole(process, *args, **named, strikes={self.point: self.number})
            finally:
                if self.fatal:
                    raise_signal(SIGKILL)

        HeldProcess.start = start  # type: ignore[method-assign, assignment]
        return self.act(deployer)


@pytest.fixture
def harness(tmp_path: Path) -> Iterator[ProcessHarness]:
    with closing(ProcessHarness(tmp_path)) as mine:
        yield mine


def test_a_deploy_whose_starter_is_killed_starts_it_again(harness: ProcessHarness) -> None:
    server = elsewhere(harness, replace_with(harness, "v0"))
    with harness.hammer(server) as hammer:
        hammer.rest_s = REST_S
        for point, number in product(POINTS, TRIES):
            wish = f"{point}-{number}"
            elsewhere(harness, StarterStruck(replace_with(harness, wish), point, SIGKILL))
            assert_serves(harness, server, wish)
    assert hammer.sent and hammer.failed == []


@pytest.mark.parametrize("point", POINTS)
def test_a_deployer_killed_with_its_starter_leaves_what_stood(harness: ProcessHarness, point: str) -> None:
    """Or its revision, where that was not counted as started yet, or runs."""
    server = elsewhere(harness, replace_with(harness, "v0"))
    with harness.hammer(server) as hammer:
        hammer.rest_s = REST_S
        for wish in TRIES:
            stood = harness.ask(server).answer
            assert_killed(harness, StarterStruck(replace_with(harness, wish), point, SIGKILL, fatal=True))
            assert harness.deployer().reconcile().failed == ()
            assert_serves(harness, server, wish if point in ("locked", "released") else stood)
    assert hammer.sent and hammer.failed == []


@pytest.mark.parametrize("point", POINTS)
def test_a_starter_that_wakes_after_a_later_deploy_brings_nothing_back(harness: ProcessHarness, point: str) -> None:
    server = elsewhere(harness, replace_with(harness, "v0"))
    with harness.hammer(server) as hammer:
        hammer.rest_s = REST_S
        for wish in TRIES:
            with Victim(harness, StarterStruck(replace_with(harness, f"{wish}-frozen"), point, SIGSTOP)) as victim:
                starter = _frozen_starter(harness)
                before = _revisions(harness)
                with Victim(harness, replace_with(harness, wish)) as later:
                    _await_another(harness, before)
                    starter.resume()
                    later.told()
                with pytest.raises(Superseded):
                    victim.told()
            assert_serves(harness, server, wish)
    assert hammer.sent and hammer.failed == []


def _revisions(harness: ProcessHarness) -> set[int]:
    return {workload.revision for workload in harness.deployer().engine.list()}


def _await_another(harness: ProcessHarness, before: set[int]) -> None:
    until = time.monotonic() + COMES_WITHIN_S
    while _revisions(harness) <= before:
        assert time.monotonic() < until, "no revision was created"
        time.sleep(0.01)


def _frozen_starter(harness: ProcessHarness) -> psutil.Process:
    until = time.monotonic() + COMES_WITHIN_S
    while not (frozen := [p for p in _starters(harness) if p.info["status"] == psutil.STATUS_STOPPED]):
        assert time.monotonic() < until, "no starter was frozen"
        time.sleep(0.01)
    return frozen[0]


def _starters(harness: ProcessHarness) -> Iterator[psutil.Process]:
    for process in psutil.process_iter(["cmdline", "status"]):
        argv = " ".join(process.info["cmdline"] or ())
        if "deployer.processes.starter" in argv and str(harness.state_dir) in argv:
            yield process
