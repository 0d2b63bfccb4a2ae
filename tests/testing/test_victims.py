"""Signals befall deployers in processes of their own, at the call that is meant, and their callers hear the truth."""

import time
from dataclasses import dataclass
from operator import methodcaller
from pathlib import Path
from signal import SIGKILL, SIGSTOP
from typing import cast

import psutil
import pytest

from deployer.engine_deployer import EngineModelDeployer
from deployer.errors import RevisionRefused
from deployer.server import State
from deployer.testing.faults import Killed
from deployer.testing.harness import Harness
from deployer.testing.memory import MemoryHarness
from deployer.testing.victims import Act, Strike, Victim, elsewhere


@dataclass(frozen=True)
class Memories:
    """A platform in the memory of each process; the model store is on the disk that they share."""

    root: Path

    def deployer(self) -> EngineModelDeployer:
        return MemoryHarness(self.root).deployer()


@pytest.fixture
def harness(tmp_path: Path) -> Harness:
    return cast(Harness, Memories(tmp_path))


@pytest.fixture
def deploy(tmp_path: Path) -> Act:
    return methodcaller("deploy_model", MemoryHarness(tmp_path).config("v1"))


def sleep_on(deployer: EngineModelDeployer) -> None:
    time.sleep(60)


def end_untold(deployer: EngineModelDeployer) -> None:
    raise SystemExit(3)


def models_in(root: Path) -> int:
    return len([path for path in (root / "store").glob("*") if not path.name.startswith(".")])


def test_what_is_returned_elsewhere_is_returned_here(harness: Harness, deploy: Act) -> None:
    server = elsewhere(harness, deploy)
    assert (server.revision, server.state) == (1, State.READY)
    assert harness.deployer().find_model_server() == [], "it was not in a process of its own"


def test_what_is_raised_elsewhere_is_raised_here(harness: Harness, tmp_path: Path) -> None:
    with pytest.raises(RevisionRefused) as refused:
        elsewhere(harness, methodcaller("deploy_model", MemoryHarness(tmp_path).config("v1", "exit")))
    assert refused.value.exit_code == 7 and refused.value.hint
    assert "Traceback" in refused.value.__notes__[0]


@pytest.mark.parametrize("after", [False, True])
def test_the_killed_tell_nothing(harness: Harness, deploy: Act, tmp_path: Path, after: bool) -> None:
    with Victim(harness, deploy, Strike(SIGKILL, "store.add", after)) as victim, pytest.raises(Killed):
        victim.told()
    assert models_in(tmp_path) == after


@pytest.mark.parametrize("after", [False, True])
def test_the_frozen_stand_still_and_go_on_once_they_are_thawed(
    harness: Harness, deploy: Act, tmp_path: Path, after: bool
) -> None:
    with Victim(harness, deploy, Strike(SIGSTOP, "store.add", after)) as victim:
        assert victim.frozen() and victim.at_work
        assert models_in(tmp_path) == after
        victim.thaw()
        assert victim.told().revision == 1
        assert not victim.at_work


def test_a_later_call_of_the_name_can_be_meant(harness: Harness, deploy: Act) -> None:
    with Victim(harness, deploy, Strike(SIGKILL, "engine.create", countdown=2)) as victim:
        assert victim.told().revision == 1


def test_a_signal_can_come_at_any_moment(harness: Harness) -> None:
    with Victim(harness, sleep_on) as victim:
        assert victim.freeze() and victim.frozen(0)
        victim.thaw()
        assert not victim.frozen(0.1)
        victim.kill()
        with pytest.raises(Killed):
            victim.told()
        assert not victim.freeze() and not victim.at_work


def test_it_ends_with_the_context_though_it_is_frozen(harness: Harness) -> None:
    with Victim(harness, sleep_on) as victim:
        victim.freeze()
        pid = victim.pid
    assert not psutil.pid_exists(pid)


def test_one_that_ends_in_another_way_is_not_taken_for_killed(harness: Harness) -> None:
    with Victim(harness, end_untold) as victim, pytest.raises(AssertionError, match="it ended with 3"):
        victim.told()


def test_one_that_does_not_end_is_not_waited_for_for_ever(harness: Harness) -> None:
    with Victim(harness, sleep_on) as victim, pytest.raises(AssertionError, match="has not ended"):
        victim.told(0.1)
