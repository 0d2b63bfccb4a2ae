"""Control groups: folders that are laid like them, and the kernel's own where root can have them."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from deployer.processes import cgroup
from tests.support import control_groups
from tests.support.control_groups import CONTROLLER, Ground

GROUNDS = control_groups.GROUNDS


@pytest.fixture(params=control_groups.ON_EACH)
def ground(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Ground]:
    with GROUNDS[request.param](tmp_path) as made:
        yield made


def told(ground: Ground, expression: str, uid: int) -> str:
    """What a deployer says that runs there, and takes itself for that user's."""
    code = (
        "import os\nfrom pathlib import Path\nfrom deployer.processes import cgroup\n"
        f"os.geteuid = lambda: {uid}\nprint({expression})"
    )
    command = ground.entering(sys.executable, "-c", code)
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout.removeprefix("in\n").strip()


def delegated(ground: Ground, *controllers: str, uid: int = 0) -> str:
    return told(ground, f"cgroup.delegated({controllers!r}, Path({str(ground.proc)!r}))", uid)


def test_a_group_that_was_delegated_is_found_and_looking_changes_nothing(ground: Ground) -> None:
    before = sorted(path.name for path in ground.base.iterdir())
    assert delegated(ground, CONTROLLER) == str(ground.base)
    assert sorted(path.name for path in ground.base.iterdir()) == before


def test_without_a_controller_there_is_none(ground: Ground) -> None:
    assert delegated(ground, CONTROLLER, "nonsense") == "None"


@pytest.mark.parametrize("uid", [0, 1000])
def test_one_that_nobody_left_to_us_is_none_though_we_may_write_there(ground: Ground, uid: int) -> None:
    """As a user may in the scope of a session, where all else that they run is too."""
    assert delegated(ground, CONTROLLER, uid=uid) == str(ground.base)
    ground.take_back()
    assert delegated(ground, CONTROLLER, uid=uid) == "None"
    assert os.access(ground.base / cgroup.ENABLED, os.W_OK)


def test_a_deployer_in_the_leaf_finds_the_same(ground: Ground) -> None:
    ground.enter_leaf()
    assert delegated(ground, CONTROLLER) == str(ground.base)


def test_whatever_runs_in_it_goes_to_a_leaf_so_that_groups_below_may_have_limits(
    ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    ground.be_busy(monkeypatch)
    with ground.running() as pid:
        cgroup.enable(ground.base, [CONTROLLER])
        assert CONTROLLER in (ground.base / cgroup.ENABLED).read_text()
        assert ground.group_of(pid) == ground.base / cgroup.LEAF
        cgroup.enable(ground.base, [CONTROLLER])


def test_a_group_has_its_limits_and_all_that_its_process_starts(ground: Ground) -> None:
    with ground.running() as pid:
        cgroup.enable(ground.base, [CONTROLLER])
        group = cgroup.Group.made(ground.base / "churn-r1.x", {ground.limit: "2097152", "memory.swap.max": "0"})
        group.join(pid)
        assert ground.group_of(pid) == group.path
    assert (group.path / ground.limit).read_text().strip() == "2097152"
    assert not (group.path / "memory.swap.max").exists(), "there is no swap to be limited"


def test_one_in_which_something_runs_stays_and_goes_with_its_end(ground: Ground) -> None:
    group = cgroup.Group.made(ground.base / "churn-r1.x", {})
    with ground.running() as pid:
        group.join(pid)
        cgroup.remove(group.path)
        assert group.path.exists()
    ground.lose_files(group.path)
    cgroup.remove(group.path)
    cgroup.remove(group.path)
    assert not group.path.exists()


def test_what_an_earlier_run_wanted_of_memory_is_not_held_against_this_one(tmp_path: Path) -> None:
    assert cgroup.Group.made(tmp_path, {}).ran_out_of_memory is False
    (tmp_path / "memory.events").write_text("low 0\noom 3\noom_kill 1\n")
    group = cgroup.Group.made(tmp_path, {})
    assert group.ran_out_of_memory is False
    (tmp_path / "memory.events").write_text("low 0\noom 4\noom_kill 2\n")
    assert group.ran_out_of_memory is True


@pytest.mark.parametrize("told", ["", "9:memory:/somewhere\n", "0::/../elsewhere\n"])
def test_without_a_group_of_version_two_there_is_none(tmp_path: Path, told: str) -> None:
    (tmp_path / "cgroup").write_text(told)
    (tmp_path / "mountinfo").write_text(control_groups.mountinfo(tmp_path))
    assert cgroup.delegated([], tmp_path) is None


def test_where_nothing_tells_of_groups_there_is_none(tmp_path: Path) -> None:
    assert cgroup.delegated([], tmp_path / "nothing") is None
