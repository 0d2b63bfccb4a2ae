"""What was fetched becomes a model; hashing it takes its time, and may be broken off like the rest."""

from pathlib import Path

import pytest

from deployer.digest import CHUNK, digest_of
from deployer.errors import RolloutTimeout
from deployer.sources.fetched import entry_of
from deployer.sources.watch import Watch


@pytest.fixture
def work(tmp_path: Path) -> Path:
    (tmp_path / "fetched").mkdir()
    (tmp_path / "fetched" / "w.bin").write_bytes(bytes(5 * CHUNK))
    return tmp_path


class Counted(Watch):
    """Counts its beats, and is out of time after so many."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self.left = most

    def beat(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise RolloutTimeout("It took too long.")


@pytest.mark.parametrize("single", [False, True])
def test_hashing_shows_signs_of_life(single: bool, work: Path) -> None:
    watch = Counted(100)
    brought = entry_of(work, [], single=single, watch=watch)
    assert 100 - watch.left >= 5
    assert brought.digest == digest_of(brought.path)
    assert brought.path == work / "entry" / ("file/w.bin" if single else "folder")


@pytest.mark.parametrize("single", [False, True])
def test_what_was_fetched_stays_when_hashing_is_broken_off(single: bool, work: Path) -> None:
    with pytest.raises(RolloutTimeout):
        entry_of(work, [], single=single, watch=Counted(3))
    assert (work / "fetched" / "w.bin").stat().st_size == 5 * CHUNK
    assert entry_of(work, [], single=single, watch=Counted(100)).path.exists()
