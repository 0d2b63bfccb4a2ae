"""What befalls a deployer befalls it alone, at the call that was meant, and once."""

import threading
from pathlib import Path

import pytest

from deployer.errors import EngineError, EngineUnavailable
from deployer.testing.faults import Death, Failure, Freeze, Killed, Lateness, Watch, befall, nth, numbered
from deployer.testing.memory import MemoryHarness


@pytest.fixture
def harness(tmp_path: Path) -> MemoryHarness:
    return MemoryHarness(tmp_path)


@pytest.mark.parametrize("after", [False, True])
def test_the_dead_reach_the_platform_no_more(harness: MemoryHarness, after: bool) -> None:
    death = Death(nth("engine.create"), after)
    deployer = befall(harness.deployer(), death)
    with pytest.raises(Killed):
        deployer.deploy_model(harness.config("v1"))
    assert death.befell and death.befell.name == "engine.create"
    assert len(harness.deployer().engine.list()) == after, "it took effect only where it died afterwards"
    with pytest.raises(Killed):
        deployer.find_model_server()


@pytest.mark.parametrize("after", [False, True])
def test_the_frozen_go_on_where_they_stood(harness: MemoryHarness, after: bool) -> None:
    freeze = Freeze(nth("gateway.write"), after)
    deployer = befall(harness.deployer(), freeze)
    thread = threading.Thread(target=deployer.deploy_model, args=(harness.config("v1"),))
    thread.start()
    assert freeze.frozen.wait(10)
    assert len(harness.deployer().gateway.routes()) == after
    freeze.thaw()
    thread.join(10)
    assert [server.revision for server in harness.deployer().find_model_server(running=True)] == [1]


def test_a_call_fails_once_or_for_good(harness: MemoryHarness) -> None:
    once = Failure(nth("engine.list"), EngineUnavailable("a blip"))
    assert befall(harness.deployer(), once).find_model_server() == [] and once.befell
    for_good = befall(harness.deployer(), Failure(nth("engine.list"), EngineError("broken"), for_good=True))
    for _ in ("once", "and again"):
        with pytest.raises(EngineError, match="broken"):
            for_good.find_model_server()


def test_an_answer_is_lost_after_its_effect(harness: MemoryHarness) -> None:
    lost = Failure(nth("engine.create"), EngineError("no answer"), after=True)
    with pytest.raises(EngineError, match="no answer"):
        befall(harness.deployer(), lost).engine.create(_spec_of_another(harness))  # type: ignore[arg-type]
    assert len(harness.deployer().engine.list()) == 1


def test_calls_are_numbered_as_they_begin_and_one_of_them_is_late(harness: MemoryHarness) -> None:
    watch, late = Watch(), Lateness(numbered(2), seconds=0)
    befall(befall(harness.deployer(), late), watch).find_model_server()
    assert [(call.number, call.name) for call in watch.calls] == [
        (0, "gateway.routes"),
        (1, "engine.list"),
        (2, "gateway.routes"),
    ]
    assert late.befell == watch.calls[2]


def _spec_of_another(harness: MemoryHarness) -> object:
    """What a deploy of another platform would create."""
    other, watch = MemoryHarness(harness.root / "other"), Watch()
    befall(other.deployer(), watch).deploy_model(other.config("v1"))
    return next(call.args[0] for call in watch.calls if call.name == "engine.create")
