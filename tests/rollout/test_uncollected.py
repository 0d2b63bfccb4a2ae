import gc
from collections.abc import Iterator
from pathlib import Path

import pytest

from deployer.rollout.uncollected import uncollected
from deployer.testing.faults import Call, Do, befall
from deployer.testing.memory import MemoryHarness


@pytest.fixture(autouse=True)
def collector() -> Iterator[None]:
    """As it was, whatever comes."""
    yield
    gc.enable()


def test_the_collector_pauses_and_goes_on_whatever_happens() -> None:
    with pytest.raises(KeyboardInterrupt), uncollected():
        assert not gc.isenabled()
        raise KeyboardInterrupt
    assert gc.isenabled()


def test_the_inner_of_two_leaves_it_to_the_outer() -> None:
    with uncollected():
        with uncollected():
            assert not gc.isenabled()
        assert not gc.isenabled()
    assert gc.isenabled()


def test_a_collector_that_somebody_stopped_stays_so() -> None:
    gc.disable()
    with uncollected():
        assert not gc.isenabled()
    assert not gc.isenabled()


@pytest.mark.parametrize("look", ["find_model_server", "reconcile"])
def test_a_look_at_all_servers_is_not_collected(tmp_path: Path, look: str) -> None:
    harness, seen = MemoryHarness(tmp_path), list[bool]()
    harness.deployer().deploy_model(harness.config("v1"))

    class Lookout:
        def around(self, call: Call, do: Do) -> object:
            if call.name == "engine.list":
                seen.append(gc.isenabled())
            return do()

    getattr(befall(harness.deployer(), Lookout()), look)()
    assert seen == [False] and gc.isenabled()
