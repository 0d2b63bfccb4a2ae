"""Environments that a real uv builds, from packages that lie beside the tests."""

import http.server
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from deployer.environments import uv
from deployer.environments.definition import Definition
from deployer.environments.python_version import python_here
from deployer.environments.requirements import requirements_of
from deployer.environments.store import Environments
from deployer.errors import EnvironmentFailed, EnvironmentGone, EnvironmentMismatch, RolloutTimeout, Unsupported
from deployer.shelf import Shelf
from tests.environments.packages import slow, wheel

DAY_S = 24 * 3600


@pytest.fixture
def environments(tmp_path: Path) -> Environments:
    return Environments(tmp_path / "state" / "environments")


def definition(model: Path, *lines: str, python: str = "") -> Definition:
    (model / "requirements.txt").write_text("\n".join(lines))
    requirements = requirements_of(model)
    assert requirements
    return Definition(requirements, (), python or python_here())


def built(environments: Environments, wanted: Definition, told: Callable[[str], object] = str, **limit: float) -> str:
    """The key, the environment being there."""
    environments.build(wanted.key, wanted, told, limit.get("left_s"))
    return wanted.key


def version_in(environments: Environments, key: str) -> str:
    program = [str(environments.python(key)), "-I", "-c", "import tiny; print(tiny.VERSION)"]
    return subprocess.run(program, capture_output=True, text=True, check=True, timeout=60).stdout.strip()


def left_in(environments: Environments) -> set[str]:
    return {path.name for path in environments.root.iterdir()} if environments.root.exists() else set()


def age(path: Path, seconds: float) -> None:
    then = time.time() - seconds
    os.utime(path, (then, then))


def until(condition: Callable[[], bool], within_s: float = 30) -> None:
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, "it did not come about in time"
        time.sleep(0.01)


def lives(pid: int) -> bool:
    try:
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return False


def test_it_holds_what_the_model_asks_for_and_its_programs_run(
    environments: Environments, model: Path, packages: Path
) -> None:
    lines: list[str] = []
    key = built(environments, definition(model, "tiny==1.0"), lines.append)
    assert version_in(environments, key) == "1.0"
    program = environments.python(key).with_name("tiny")
    assert subprocess.run([program], capture_output=True, text=True, check=True, timeout=60).stdout == "1.0\n"
    assert "+ tiny==1.0" in lines
    assert left_in(environments) == {key}


def test_before_it_is_in_its_place_all_of_it_is_on_the_disk_and_nothing_of_others_is_waited_for(
    environments: Environments, model: Path, packages: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced, fsync, put = set[int](), os.fsync, Shelf.put

    def noted(descriptor: int) -> None:
        synced.add(os.fstat(descriptor).st_ino)
        fsync(descriptor)

    def all_is_synced(shelf: Shelf, entry: Path, key: str) -> None:
        lying = [entry, *(path for path in entry.rglob("*") if not path.is_symlink())]
        assert [path for path in lying if path.stat().st_ino not in synced] == []
        put(shelf, entry, key)

    monkeypatch.setattr(os, "fsync", noted)
    monkeypatch.setattr(os, "sync", lambda: pytest.fail("it waits for every disk of the machine"))
    monkeypatch.setattr(Shelf, "put", all_is_synced)
    assert version_in(environments, built(environments, definition(model, "tiny==1.0"))) == "1.0"


def test_a_package_in_the_model_and_constraints_are_heeded(
    environments: Environments, model: Path, packages: Path
) -> None:
    wheel(model / "wheels", "needy", "1.0", ("tiny",))
    (model / "constraints.txt").write_text("tiny<2\n")
    lines = ("wheels/needy-1.0-py3-none-any.whl", "-c constraints.txt")
    assert version_in(environments, built(environments, definition(model, *lines))) == "1.0"


def test_a_model_that_asks_for_nothing_gets_an_interpreter(environments: Environments, model: Path) -> None:
    assert environments.python(built(environments, definition(model, "# nothing"))).exists()


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (("tiny==1.0", "tiny==2.0"), "tiny==1.0 and"),
        (("tiny", "absent-package"), "absent-package"),
        (("tiny==3",), "tiny"),
    ],
)
def test_requirements_that_cannot_be_met_are_told_in_the_resolvers_words_and_leave_nothing(
    lines: tuple[str, ...], said: str, environments: Environments, model: Path, packages: Path
) -> None:
    with pytest.raises(EnvironmentFailed, match="unsatisfiable") as error:
        built(environments, definition(model, *lines))
    assert said in error.value.log_tail
    assert "nothing was changed" in error.value.serving and "requirements.txt" in error.value.hint
    assert left_in(environments) == set()


def test_two_may_build_the_same_at_once(environments: Environments, model: Path, packages: Path) -> None:
    wanted = definition(model, "tiny==2.0")
    with ThreadPoolExecutor(2) as pool:
        keys = set(pool.map(lambda _: built(Environments(environments.root), wanted), range(2)))
    assert keys == left_in(environments) == {wanted.key}
    assert version_in(environments, wanted.key) == "2.0"


def test_a_python_that_is_not_on_this_machine_is_named_and_not_fetched(environments: Environments, model: Path) -> None:
    with pytest.raises(EnvironmentMismatch, match=r"Python 3\.6, which is not found") as error:
        built(environments, definition(model, "# nothing", python="3.6"))
    assert "uv python install 3.6" in error.value.hint
    assert left_in(environments) == set()


def test_when_its_time_is_up_the_build_is_ended_with_all_that_it_started(
    environments: Environments, model: Path, packages: Path
) -> None:
    slow(model, mark := model / "mark")
    wanted = definition(model, "slow-1.0.tar.gz")
    with pytest.raises(RolloutTimeout, match="not built within") as error:
        built(environments, wanted, left_s=8)
    assert "what was downloaded so far is kept" in error.value.hint
    until(lambda: not lives(int(mark.read_text())))
    assert left_in(environments) == set()


def test_who_is_interrupted_while_it_builds_ends_it_first(
    environments: Environments, model: Path, packages: Path
) -> None:
    slow(model, mark := model / "mark")

    def interrupted(line: str) -> None:
        if "Using Python" in line:
            until(lambda: mark.exists() and mark.read_text() != "", 60)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        built(environments, definition(model, "slow-1.0.tar.gz"), interrupted)
    until(lambda: not lives(int(mark.read_text())))
    assert left_in(environments) == set()


def test_who_is_killed_while_it_builds_leaves_only_what_is_collected_later(
    environments: Environments, model: Path, packages: Path
) -> None:
    slow(model, mark := model / "mark")
    program = (
        "import sys; from pathlib import Path; from tests.environments.test_builds import *;"
        "built(Environments(Path(sys.argv[1])), definition(Path(sys.argv[2]), 'slow-1.0.tar.gz'))"
    )
    arguments = [str(environments.root), str(model)]
    deployer = subprocess.Popen([sys.executable, "-c", program, *arguments], cwd=Path(__file__).parents[2])
    try:
        until(lambda: mark.exists() and mark.read_text() != "", 60)
        deployer.kill()
        deployer.wait()
        (unfinished,) = environments.root.iterdir()
        age(unfinished, DAY_S)
        environments.collect(set())
        assert left_in(environments) == {unfinished.name}, "uv, which goes on in it, holds its lock"
    finally:
        deployer.kill()
        if mark.exists():
            os.killpg(os.getpgid(int(mark.read_text())), signal.SIGKILL)
    until(lambda: not (environments.collect(set()) or left_in(environments)))
    key = built(environments, definition(model, "tiny==1.0"))
    assert left_in(environments) == {key}


def test_one_whose_interpreter_left_the_machine_is_gone_and_is_built_anew(
    environments: Environments, model: Path, packages: Path
) -> None:
    wanted = definition(model, "tiny==1.0")
    python = environments.python(built(environments, wanted))
    python.unlink()
    python.symlink_to("/nowhere/python3")
    with pytest.raises(EnvironmentGone):
        environments.python(wanted.key)
    assert version_in(environments, built(environments, wanted)) == "1.0"
    assert left_in(environments) == {wanted.key}


def test_what_nothing_names_and_nobody_touched_for_a_day_is_collected(
    environments: Environments, model: Path, packages: Path
) -> None:
    named, touched, old = (
        built(environments, definition(model, *lines)) for lines in [("tiny==1.0",), ("tiny==2.0",), ("# nothing",)]
    )
    for key in (named, touched, old):
        age(environments.root / key, DAY_S + 60)
    assert environments.has(touched)
    assert environments.collect({named}) == {old}
    assert left_in(environments) == {named, touched}


def test_what_nobody_has_used_of_late_is_found_and_removed_when_asked_for(
    environments: Environments, model: Path, packages: Path
) -> None:
    assert environments.untouched(set(), 0) == []
    older, newer = (built(environments, definition(model, f"tiny=={version}")) for version in ("1.0", "2.0"))
    age(environments.root / older, 60)
    found = environments.untouched(set(), 50)
    assert found == [environments.root / older] and environments.untouched({older}, 50) == []
    assert environments.has(older), "which touches it"
    assert not environments.remove(found[0], 50) and environments.remove(found[0], 0)
    assert left_in(environments) == {newer}


def test_a_login_of_the_deployers_index_is_neither_told_nor_stored(
    environments: Environments, model: Path, packages: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PIP_NO_INDEX")
    lines: list[str] = []
    with an_index() as port:
        monkeypatch.setenv("PIP_INDEX_URL", f"http://ann:hush@127.0.0.1:{port}/simple")
        built(environments, definition(model, "tiny==1.0"), lines.append)
        with pytest.raises(EnvironmentFailed) as error:
            built(environments, definition(model, "absent-package"), lines.append)
    assert "absent-package" in error.value.log_tail
    assert "hush" not in str(error.value) + "".join(lines)
    files = [path for path in environments.root.rglob("*") if path.is_file() and not path.is_symlink()]
    assert files and not [path for path in files if b"hush" in path.read_bytes()]


class Index(http.server.BaseHTTPRequestHandler):
    """Has nothing, and refuses to speak of a package that is called absent."""

    def do_GET(self) -> None:
        self.send_error(403 if "absent" in self.path else 404)


@contextmanager
def an_index() -> Iterator[int]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Index) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


def test_without_uv_it_is_told_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "uv", None)
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(Unsupported) as error:
        uv.find_uv()
    assert "pip install 'prefect-model-deployer[isolated]'" in error.value.hint


def test_a_uv_in_the_path_does(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    found = shutil.copy(uv.find_uv(), tmp_path / "uv")
    monkeypatch.setitem(sys.modules, "uv", None)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert uv.find_uv() == str(found)
