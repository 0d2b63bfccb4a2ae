"""A revision is bytes, not a path."""

import errno
import hashlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from deployer.digest import digest_of
from deployer.errors import (
    EngineUnavailable,
    InvalidModel,
    ModelGone,
    ModelNotFound,
    RolloutTimeout,
    StateDirectoryUnusable,
)
from deployer.sources.fetching import Terms
from deployer.sources.watch import Watch
from deployer.store import Store


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "state" / "models")


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return write(tmp_path / "model", {"weights.bin": "w", "code/load.py": "c"})


def write(folder: Path, files: dict[str, str]) -> Path:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)
    return folder


def left_in(store: Store) -> set[str]:
    return {path.name for path in store.root.iterdir()} if store.root.exists() else set()


def age(store: Store, digest: str, seconds: float) -> None:
    then = time.time() - seconds
    os.utime(store.root / digest, (then, then))


def test_a_model_is_found_again_by_its_digest(store: Store, model: Path) -> None:
    digest = store.add(str(model))
    assert store.has(digest)
    assert (store.path(digest) / "code" / "load.py").read_text() == "c"
    assert left_in(store) == {digest}


def test_the_digest_is_the_documented_one(store: Store, tmp_path: Path) -> None:
    folder = write(tmp_path / "other", {"c": "1", "b": "22", "a/x": "333", "a.b": ""})
    lines = [
        f"{path}\0{len(content)}\0{hashlib.sha256(content).hexdigest()}\n"
        for path, content in [("a.b", b""), ("a/x", b"333"), ("b", b"22"), ("c", b"1")]
    ]
    assert store.add(str(folder)) == hashlib.sha256("".join(lines).encode()).hexdigest()


def test_overwriting_the_source_changes_nothing_that_is_stored(store: Store, model: Path) -> None:
    first = store.add(str(model))
    write(model, {"weights.bin": "new"})
    second = store.add(str(model))
    assert first != second
    assert (store.path(first) / "weights.bin").read_text() == "w"
    assert (store.path(second) / "weights.bin").read_text() == "new"


def test_times_permissions_order_and_compiled_python_do_not_matter(store: Store, tmp_path: Path, model: Path) -> None:
    other = write(tmp_path / "other", {"code/load.py": "c", "weights.bin": "w", "code/__pycache__/load.pyc": "x"})
    (other / "weights.bin").chmod(0o700)
    os.utime(other / "weights.bin", (1, 1))
    (other / "empty").mkdir()
    assert store.add(str(other)) == store.add(str(model))


@pytest.mark.parametrize(
    "files",
    [
        {"weights.bin": "W", "code/load.py": "c"},
        {"weights.txt": "w", "code/load.py": "c"},
        {"weights.bin": "w", "load.py": "c"},
        {"weights.bin": "c", "code/load.py": "w"},
        {"weights.bin": "w", "code/load.py": "c", "more": ""},
        {"weights.bin": "w"},
    ],
)
def test_a_content_or_a_place_that_differs_is_another_model(
    files: dict[str, str], store: Store, tmp_path: Path, model: Path
) -> None:
    assert store.add(str(write(tmp_path / "other", files))) != store.add(str(model))


def test_a_single_file_is_stored_under_its_name(store: Store, model: Path) -> None:
    digest = store.add(str(model / "weights.bin"))
    assert store.path(digest).name == "weights.bin"
    assert store.path(digest).read_text() == "w"


def test_a_file_and_a_folder_that_holds_just_it_are_two_models(store: Store, tmp_path: Path) -> None:
    folder = write(tmp_path / "folder", {"weights.bin": "w"})
    file, whole = store.add(str(folder / "weights.bin")), store.add(str(folder))
    assert store.path(file).is_file()
    assert store.path(whole).is_dir()


def test_what_is_stored_has_the_digest_it_lies_under(store: Store, model: Path) -> None:
    for uri in (model, model / "weights.bin"):
        digest = store.add(str(uri))
        assert digest_of(store.path(digest)) == digest


def test_the_time_allowed_covers_the_hashing(store: Store, model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def in_no_time(uri: str, into: Path, _: Watch) -> Path:
        return Path(shutil.copytree(uri, into))

    monkeypatch.setattr("deployer.store.fetch", in_no_time)
    with pytest.raises(RolloutTimeout):
        store.add(str(model), Terms(until=time.monotonic() - 1))
    assert left_in(store) == set()


def test_adding_a_model_twice_keeps_it_once(store: Store, model: Path) -> None:
    assert store.add(str(model)) == store.add(str(model))
    assert len(left_in(store)) == 1


def test_many_may_add_the_same_model_at_once(store: Store, model: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        digests = set(pool.map(store.add, [str(model)] * 32))
    assert left_in(store) == digests
    assert len(digests) == 1
    assert digest_of(store.path(*digests)) in digests


def test_names_that_are_no_text_are_stored_too(store: Store, tmp_path: Path) -> None:
    folder = tmp_path / "odd"
    folder.mkdir()
    name = "line\nbreak ünï" if sys.platform == "darwin" else os.fsdecode(b"line\nbreak \xff")
    (folder / name).write_text("w")
    assert (store.path(store.add(str(folder))) / name).read_text() == "w"


@pytest.mark.parametrize("digest", ["", "0" * 64, "..", "../models", "A" * 64, ".lock"])
def test_bytes_that_are_not_there_are_gone(digest: str, store: Store, model: Path) -> None:
    store.add(str(model))
    assert not store.has(digest)
    with pytest.raises(ModelGone) as gone:
        store.path(digest)
    assert gone.value.hint


def test_a_model_that_cannot_be_copied_leaves_nothing(store: Store, model: Path) -> None:
    (model / "out").symlink_to("/etc/hosts")
    with pytest.raises(InvalidModel):
        store.add(str(model))
    with pytest.raises(ModelNotFound):
        store.add(str(model / "nowhere"))
    assert left_in(store) == set()


def test_a_store_that_cannot_be_made_is_a_typed_error(tmp_path: Path, model: Path) -> None:
    with pytest.raises(StateDirectoryUnusable) as unusable:
        Store(model / "weights.bin" / "models").add(str(model))
    assert "Not a directory" in unusable.value.what
    assert unusable.value.hint


def test_a_full_disk_leaves_nothing(store: Store, model: Path) -> None:
    write(model, {"large.bin": "x" * 100_000})
    limited = (
        "import resource, sys\n"
        "from pathlib import Path\n"
        "from deployer.errors import StateDirectoryUnusable\n"
        "from deployer.store import Store\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))\n"
        "try:\n"
        "    Store(Path(sys.argv[1])).add(sys.argv[2])\n"
        "except StateDirectoryUnusable as error:\n"
        "    print(error)\n"
    )
    command = [sys.executable, "-c", limited, str(store.root), str(model)]
    said = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True).stdout
    assert str(store.root) in said
    assert "Free some space" in said
    assert left_in(store) == set()


def test_what_blocks_while_a_model_is_copied_is_an_error_of_ours(
    store: Store, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fetch(uri: str, target: Path, watch: object) -> Path:
        raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))

    monkeypatch.setattr("deployer.store.fetch", fetch)
    with pytest.raises(EngineUnavailable, match="temporarily unavailable"):
        store.add(str(model))
    assert left_in(store) == set()


def test_only_what_is_unnamed_and_untouched_is_collected(store: Store, tmp_path: Path) -> None:
    named, fresh, old = (store.add(str(write(tmp_path / name, {"w": name}))) for name in ("named", "fresh", "old"))
    age(store, named, 1000)
    age(store, old, 1000)
    assert store.collect({named}, untouched_s=900) == {old}
    assert left_in(store) == {named, fresh}


@pytest.mark.parametrize("touch", ["add", "path"])
def test_what_is_used_again_is_not_collected(touch: str, store: Store, model: Path) -> None:
    digest = store.add(str(model))
    age(store, digest, 1000)
    if touch == "add":
        store.add(str(model))
    else:
        store.path(digest)
    assert store.collect(set(), untouched_s=900) == set()
    assert store.has(digest)


def test_what_is_touched_while_it_is_collected_stays(
    store: Store, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    digest = store.add(str(model))
    age(store, digest, 1000)
    choose_name = store._shelf._new_name

    def touched_meanwhile() -> Path:
        store.path(digest)
        return choose_name()

    monkeypatch.setattr(store._shelf, "_new_name", touched_meanwhile)
    assert store.collect(set(), untouched_s=900) == set()
    assert left_in(store) == {digest}


def test_several_may_collect_while_others_add(store: Store, model: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        added = [pool.submit(store.add, str(model)) for _ in range(40)]
        collected = [pool.submit(store.collect, set(), 0) for _ in range(40)]
        digests = {future.result() for future in added}
        assert set().union(*(future.result() for future in collected)) <= digests
    assert left_in(store) <= digests


def test_collecting_from_a_store_that_was_never_used_is_no_error(store: Store) -> None:
    assert store.collect(set()) == set()
    assert not store.root.exists()


@pytest.fixture
def copying(store: Store, tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A deployer in the middle of a copy."""
    script = (
        "import sys\n"
        "from pathlib import Path\n"
        "from deployer.store import Store\n"
        "with Store(Path(sys.argv[1]))._shelf.making() as (entry, _):\n"
        "    (entry / 'half').write_text('h')\n"
        "    print(entry.name, flush=True)\n"
        "    sys.stdin.read()\n"
    )
    command = [sys.executable, "-c", script, str(store.root)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def test_a_broken_off_copy_is_collected_and_a_running_one_is_not(store: Store, copying: subprocess.Popen[str]) -> None:
    assert copying.stdout
    unfinished = copying.stdout.readline().strip()
    age(store, unfinished, 1000)
    store.collect(set())
    assert left_in(store) == {unfinished}
    copying.send_signal(signal.SIGKILL)
    copying.wait(10)
    store.collect(set())
    assert left_in(store) == set()
