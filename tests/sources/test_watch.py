"""What a fetch tells of itself, and what counts as a sign of life."""

import time
from pathlib import Path

import pytest

from deployer.errors import RolloutTimeout
from deployer.sources import watch as watch_module
from deployer.sources.watch import Watch


def test_what_has_not_grown_is_no_sign_of_life(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch_module, "TOLD_EVERY_S", 0)
    told: list[int] = []
    watch = Watch(lambda done, total: told.append(done))
    watch.expect(100, tmp_path, 10)
    for done in (10, 10, 20, 20, 5, 5, 15):
        watch.at(done)
    assert told == [20, 15]


def test_the_time_is_over_whether_or_not_it_has_grown() -> None:
    watch = Watch(until=time.monotonic() - 1)
    with pytest.raises(RolloutTimeout):
        watch.at(0)
