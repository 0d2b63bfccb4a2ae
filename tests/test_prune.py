"""What no record names is found and removed; what somebody names, or is about to name, never is."""

import fcntl
import os
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from deployer.engine import Launch
from deployer.errors import ModelGone
from deployer.flavors.memory.deployer import MemoryModelDeployer
from deployer.flavors.memory.platform import Stored
from deployer.flavors.process.deployer import ProcessModelDeployer
from deployer.leftovers import size_of
from deployer.prune import UNTOUCHED_S, Leftover, Pruner
from deployer.testing.memory import MemoryHarness

LONG_AGO_S = UNTOUCHED_S + 60


@pytest.fixture
def harness(tmp_path: Path) -> MemoryHarness:
    return MemoryHarness(tmp_path)


@pytest.fixture
def deployer(harness: MemoryHarness) -> MemoryModelDeployer:
    deployer = harness.deployer()
    deployer.keep_models = 2
    return deployer


def untouched(path: Path) -> Path:
    then = time.time() - LONG_AGO_S
    os.utime(path, (then, then))
    return path


def all_untouched(deployer: MemoryModelDeployer) -> None:
    for entry in deployer.store.root.iterdir():
        untouched(entry)


def digests(leftovers: list[Leftover]) -> set[str]:
    return {leftover.path.name for leftover in leftovers}


@contextmanager
def copied_by_somebody(unfinished: Path) -> Iterator[None]:
    descriptor = os.open(unfinished, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def test_models_beyond_those_kept_are_found_and_removed_and_the_kept_stay(
    harness: MemoryHarness, deployer: MemoryModelDeployer
) -> None:
    served = [deployer.deploy_model(harness.config(f"v{n}"), replace=True).digest for n in range(1, 5)]
    all_untouched(deployer)
    found = Pruner(deployer).found()
    assert digests(found) == set(served[:2])
    assert [one.kind for one in found] == ["model", "model"]
    assert [one.bytes for one in found] == [size_of(deployer.store.path(one.path.name)) for one in found]
    all_untouched(deployer)
    assert Pruner(deployer).remove(found) == found
    assert [deployer.store.has(digest) for digest in served] == [False, False, True, True]


def test_a_rollback_beyond_what_is_kept_says_that_its_model_is_gone_and_what_to_do(
    harness: MemoryHarness, deployer: MemoryModelDeployer
) -> None:
    configs = [harness.config(f"v{n}") for n in range(1, 5)]
    for config in configs:
        server = deployer.deploy_model(config, replace=True)
    for config in configs:
        shutil.rmtree(config.model_uri)
    all_untouched(deployer)
    pruner = Pruner(deployer)
    pruner.remove(pruner.found())
    with pytest.raises(ModelGone) as gone:
        deployer.rollback(server.uuid, revision=1)
    assert "The model of revision 1" in gone.value.what
    assert gone.value.serving == "What serves now serves on."
    assert "choose another revision" in gone.value.hint
    (now,) = deployer.find_model_server()
    assert (now.revision, now.state) == (4, "ready")
    assert deployer.rollback(server.uuid, revision=3).revision == 5


def test_what_was_touched_lately_stays(harness: MemoryHarness, deployer: MemoryModelDeployer) -> None:
    digest = deployer.store.add(harness.config("v1").model_uri)
    assert Pruner(deployer).found() == []
    untouched(deployer.store.root / digest)
    (found,) = Pruner(deployer).found()
    deployer.store.path(digest)
    assert Pruner(deployer).remove([found]) == []
    assert deployer.store.has(digest)


def test_what_a_record_has_come_to_name_since_it_was_found_stays(
    harness: MemoryHarness, deployer: MemoryModelDeployer
) -> None:
    digest = deployer.store.add(harness.config("v1").model_uri)
    untouched(deployer.store.root / digest)
    found = Pruner(deployer).found()
    assert deployer.deploy_model(harness.config("v1")).digest == digest
    untouched(deployer.store.root / digest)
    assert Pruner(deployer).remove(found) == []
    assert deployer.store.has(digest)


def test_a_copy_that_somebody_makes_is_left_alone_and_one_that_was_broken_off_goes(
    deployer: MemoryModelDeployer,
) -> None:
    unfinished = deployer.store.root / ".tmp-0123"
    (unfinished / "folder").mkdir(parents=True)
    (unfinished / "folder" / "weights").write_bytes(b"x" * 1000)
    untouched(unfinished)
    with copied_by_somebody(unfinished):
        assert Pruner(deployer).found() == []
        Pruner(deployer).remove([Leftover("broken-off copy", unfinished, 1000)])
        assert unfinished.exists()
    (found,) = Pruner(deployer).found()
    assert (found.kind, found.path, found.bytes) == ("broken-off copy", unfinished, 1000)
    assert Pruner(deployer).remove([found]) == [found]
    assert not unfinished.exists()


def test_no_model_is_removed_while_something_cannot_be_read(
    harness: MemoryHarness, deployer: MemoryModelDeployer
) -> None:
    untouched(deployer.store.root / deployer.store.add(harness.config("v1").model_uri))
    (found,) = Pruner(deployer).found()
    deployer.platform.workloads["churn", 1] = Stored("{}", Launch(argv=(), readiness_path=""), "theirs", "churn")
    assert Pruner(deployer).found() == []
    assert Pruner(deployer).remove([found]) == []


def test_only_what_was_chosen_is_removed(harness: MemoryHarness, deployer: MemoryModelDeployer) -> None:
    for name in ("v1", "v2"):
        untouched(deployer.store.root / deployer.store.add(harness.config(name).model_uri))
    chosen, other = Pruner(deployer).found()
    assert Pruner(deployer).remove([chosen]) == [chosen]
    assert digests(Pruner(deployer).found()) == {other.path.name}


def test_a_path_that_is_no_leftover_is_never_removed(deployer: MemoryModelDeployer, tmp_path: Path) -> None:
    (tmp_path / "precious").mkdir()
    for kind in ("model", "broken-off copy", "file set aside"):
        assert Pruner(deployer).remove([Leftover(kind, untouched(tmp_path / "precious"), 0)]) == []


def test_deploys_are_safe_while_somebody_prunes_without_pause(
    harness: MemoryHarness, deployer: MemoryModelDeployer
) -> None:
    over, removed = threading.Event(), 0
    failures: list[Exception] = []

    def prune() -> None:
        nonlocal removed
        pruner = Pruner(harness.deployer(), untouched_s=2)
        while not over.is_set():
            try:
                removed += len(pruner.remove(pruner.found()))
            except Exception as error:
                failures.append(error)
                return

    pruning = [threading.Thread(target=prune) for _ in range(2)]
    for thread in pruning:
        thread.start()
    try:
        for n in range(20):
            untouched(deployer.store.root / deployer.store.add(harness.config(f"never served {n}").model_uri))
            assert deployer.deploy_model(harness.config(f"v{n}"), replace=True).state == "ready"
    finally:
        over.set()
        for thread in pruning:
            thread.join(20)
    assert failures == []
    assert removed


def test_environments_that_nothing_names_go_and_one_that_a_server_names_stays(
    process_deployer: ProcessModelDeployer,
) -> None:
    root = process_deployer.environments.root
    unnamed, broken_off = root / ("a" * 64), root / ".tmp-0123"
    for folder in (unnamed, broken_off):
        (folder / "venv").mkdir(parents=True)
        untouched(folder)
    pruner = Pruner(process_deployer)
    found = {one.path: one.kind for one in pruner.found()}
    assert found == {unnamed: "environment", broken_off: "broken-off environment"}
    assert {one.path for one in pruner.remove(pruner.found())} == found.keys() and list(root.iterdir()) == []


def test_of_the_process_flavor_also_what_creations_writes_and_strange_routes_left(
    process_deployer: ProcessModelDeployer,
) -> None:
    state = process_deployer.state_dir
    left = {
        "broken-off workload": state / "workloads" / ".tmp-0123",
        "file set aside": state / "gateway" / "set-aside" / "strange.yml.0123",
        "broken-off file": state / "gateway" / "scratch" / "routes-churn.yml.0123",
    }
    for path in left.values():
        path.parent.mkdir(parents=True, exist_ok=True)
    (left["broken-off workload"] / "sub").mkdir(parents=True)
    (left["broken-off workload"] / "sub" / "record").write_text("12345")
    for kind in ("file set aside", "broken-off file"):
        left[kind].write_text("123")
    assert Pruner(process_deployer).found() == []
    pruner = Pruner(process_deployer, untouched_s=0)
    untouched(left["broken-off workload"])
    found = {one.kind: (one.path, one.bytes) for one in pruner.found()}
    files = {kind: (left[kind], 3) for kind in ("file set aside", "broken-off file")}
    assert found == files  # A workload that is begun gets a minute at least, whatever is asked for.


def test_of_the_process_flavor_a_workload_that_was_broken_off_goes_after_a_while(
    process_deployer: ProcessModelDeployer, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = process_deployer.state_dir / "workloads" / ".gone-0123"
    begun.mkdir(parents=True)
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + LONG_AGO_S)
    (found,) = Pruner(process_deployer).found()
    assert (found.kind, found.path) == ("broken-off workload", begun)
    assert Pruner(process_deployer).remove([found]) == [found]
