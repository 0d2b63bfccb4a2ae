"""What is downloaded by pieces: how large they are."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from deployer.sources.download import download_pieces
from deployer.sources.pace import LARGEST, SMALLEST, Pace
from deployer.sources.remote import RemoteFile
from deployer.sources.watch import Watch

CONTENT = bytes(range(256)) * 40_000


def pieces_of(into: Path, read: Callable[[RemoteFile, int, int], bytes]) -> list[int]:
    """The sizes that were asked for."""
    sizes: list[int] = []

    def noted(file: RemoteFile, start: int, end: int) -> bytes:
        sizes.append(end - start)
        return read(file, start, end)

    download_pieces([RemoteFile("w.bin", "w.bin", len(CONTENT))], noted, into, Watch())
    assert (into / "w.bin").read_bytes() == CONTENT
    return sizes


def test_on_a_quick_line_pieces_grow(tmp_path: Path) -> None:
    sizes = pieces_of(tmp_path, lambda file, start, end: CONTENT[start:end])
    assert sizes[0] == SMALLEST
    assert max(sizes) > SMALLEST


def test_on_a_slow_line_they_stay_small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deployer.sources.pace.QUICK_S", 0.01)

    def slowly(file: RemoteFile, start: int, end: int) -> bytes:
        time.sleep(0.02)
        return CONTENT[start:end]

    assert set(pieces_of(tmp_path, slowly)[:-1]) == {SMALLEST}


def test_a_line_that_becomes_slow_makes_them_small_again(monkeypatch: pytest.MonkeyPatch) -> None:
    pace = Pace()
    while pace.piece < LARGEST:
        with pace.measured(pace.piece):
            pass
    monkeypatch.setattr("deployer.sources.pace.QUICK_S", -1)
    monkeypatch.setattr("deployer.sources.pace.SLOW_S", -1)
    with pace.measured(LARGEST):
        pass
    assert pace.piece == LARGEST // 2


def test_small_files_say_nothing_of_the_line() -> None:
    pace = Pace()
    with pace.measured(10):
        pass
    assert pace.piece == SMALLEST
