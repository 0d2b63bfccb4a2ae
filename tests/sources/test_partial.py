"""Who fetches the same as somebody else has a folder to work in at any moment."""

import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from deployer.sources.partial import PARTIAL, Partials

URI, VERSION = "https://models.example.com/churn.bin", "1"


def test_who_waits_for_another_that_ends_has_a_folder_of_his_own(tmp_path: Path) -> None:
    ended = threading.Event()

    def waits() -> bool:
        with Partials(tmp_path).work(URI, VERSION) as work:
            (work / "bytes").write_bytes(b"1")
            return ended.is_set()

    with ThreadPoolExecutor(1) as pool:
        with Partials(tmp_path).work(URI, VERSION) as theirs:
            waiting = pool.submit(waits)
            _until_open_twice(theirs)
            ended.set()
        assert waiting.result(20)
    assert not list(tmp_path.glob(f"{PARTIAL}*"))


@pytest.mark.parametrize("call", ["utime", "open"])
def test_so_has_who_finds_it_removed_as_he_takes_it(call: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    original, removed = getattr(os, call), list[Path]()

    def removes(path: Path, *args: object, **named: object) -> object:
        if not removed:
            removed.append(path)
            os.rmdir(path)
        return original(path, *args, **named)

    monkeypatch.setattr(os, call, removes)
    with Partials(tmp_path).work(URI, VERSION) as work:
        assert removed and work.is_dir()


def test_a_root_that_can_never_be_made_is_told_as_such() -> None:
    with pytest.raises(FileNotFoundError), Partials(Path("/proc/nowhere/models")).work(URI, VERSION):
        pass


def _until_open_twice(folder: Path) -> None:
    deadline = time.monotonic() + 20
    while sum(link.resolve() == folder for link in Path("/proc/self/fd").iterdir()) < 2:
        assert time.monotonic() < deadline, "nobody waits for it"
