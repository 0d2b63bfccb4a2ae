import os
import stat
from pathlib import Path

import pytest

from deployer import state_directory
from deployer.errors import StateDirectoryUnusable
from deployer.state_directory import TRIAL, file_system, is_on_network, usable_state_directory


def test_it_is_made_for_its_user_alone(tmp_path: Path) -> None:
    made = usable_state_directory(tmp_path / "a" / "b")
    assert made == tmp_path / "a" / "b"
    assert stat.S_IMODE(made.stat().st_mode) == 0o700
    assert os.listdir(made) == []
    assert usable_state_directory(made) == made


def test_what_a_deployer_left_that_was_killed_while_it_tried_the_locks_goes_once_it_is_old(tmp_path: Path) -> None:
    abandoned, in_use = tmp_path / f"{TRIAL}1", tmp_path / f"{TRIAL}2"
    for trial in (abandoned, in_use):
        trial.touch()
    os.utime(abandoned, (1, 1))
    usable_state_directory(tmp_path)
    assert list(tmp_path.iterdir()) == [in_use]


def test_a_relative_path_becomes_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert usable_state_directory(Path("here")) == tmp_path / "here"


def test_without_a_path_it_is_the_users_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    assert usable_state_directory().is_relative_to(tmp_path)


def test_a_file_in_its_place_is_an_error_that_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file", tmp_path / "file" / "below", Path(os.devnull)):
        with pytest.raises(StateDirectoryUnusable, match="state_dir"):
            usable_state_directory(path)


@pytest.mark.parametrize("path", ["~nobody-has-this-name/state", "in\0between"])
def test_what_is_no_path_is_an_error_that_says_what_to_do(path: str) -> None:
    with pytest.raises(StateDirectoryUnusable, match="state_dir"):
        usable_state_directory(Path(path))


@pytest.mark.parametrize("kind", ["nfs", "nfs4", "cifs", "smb3", "smbfs", "fuse.sshfs", "lustre"])
def test_network_file_systems_are_refused(kind: str) -> None:
    assert is_on_network(kind)


def test_a_state_directory_on_one_is_an_error_that_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state_directory, "file_system", lambda path: "nfs4")
    with pytest.raises(StateDirectoryUnusable, match="network file system \\(nfs4\\)"):
        usable_state_directory(tmp_path)


@pytest.mark.parametrize("kind", ["ext4", "apfs", "overlay", "tmpfs", "virtiofs", "9p", "fuse.grpcfuse", ""])
def test_what_one_machine_has_alone_is_not(kind: str) -> None:
    assert not is_on_network(kind)


def test_the_file_system_of_a_path_is_that_of_the_mount_above_it(tmp_path: Path) -> None:
    assert file_system(tmp_path)
    assert file_system(tmp_path) == file_system(tmp_path / "not" / "there")
