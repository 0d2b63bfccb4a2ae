"""Archives that would reach beyond the model, or are none: a typed error each, and nothing is left."""

import io
import stat
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from deployer.errors import InvalidModel
from deployer.sources import archives
from deployer.sources.archives import unpack
from deployer.sources.watch import Watch


@pytest.fixture
def into(tmp_path: Path) -> Path:
    (tmp_path / "entry").mkdir()
    return tmp_path / "entry" / "folder"


def tar(path: Path, *members: tarfile.TarInfo, content: bytes = b"w") -> Path:
    with tarfile.open(path / "model.tar.gz", "w:gz") as archive:
        for member in members:
            member.size = len(content) if member.isreg() else 0
            archive.addfile(member, io.BytesIO(content) if member.isreg() else None)
    return path / "model.tar.gz"


def zipped(path: Path, *names: str, mode: int = 0, content: bytes = b"w") -> Path:
    with zipfile.ZipFile(path / "model.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for name in names:
            info = zipfile.ZipInfo(name)
            info.external_attr = mode << 16
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, content)
    return path / "model.zip"


def member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "", mode: int = 0o644) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.mode = kind, link, mode
    return info


def read(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def assert_refused(archive: Path, into: Path, why: str) -> None:
    with pytest.raises(InvalidModel, match=why) as refused:
        unpack(archive, into, Watch())
    assert archive.name in str(refused.value) or str(into.parent) not in str(refused.value)
    assert "tar -czf" in refused.value.hint
    assert list(into.parent.iterdir()) == []


@pytest.mark.parametrize("make", [lambda path, *names: tar(path, *map(member, names)), zipped], ids=["tar", "zip"])
class TestOfBothKinds:
    def test_files_stand_where_they_stood(self, make: Callable[..., Path], tmp_path: Path, into: Path) -> None:
        unpack(make(tmp_path, "MLmodel", "code/load.py"), into, Watch())
        assert read(into) == {"MLmodel": b"w", "code/load.py": b"w"}

    def test_one_folder_that_holds_all_is_the_model(
        self, make: Callable[..., Path], tmp_path: Path, into: Path
    ) -> None:
        unpack(make(tmp_path, "churn/MLmodel", "churn/code/load.py"), into, Watch())
        assert read(into) == {"MLmodel": b"w", "code/load.py": b"w"}

    def test_compiled_python_is_left_out(self, make: Callable[..., Path], tmp_path: Path, into: Path) -> None:
        unpack(make(tmp_path, "a.py", "b.py", "__pycache__/a.pyc"), into, Watch())
        assert read(into) == {"a.py": b"w", "b.py": b"w"}

    @pytest.mark.parametrize("name", ["../out", "a/../../out", "/etc/out", "a//b"])
    def test_what_climbs_out_is_refused(self, name: str, make: Callable[..., Path], tmp_path: Path, into: Path) -> None:
        assert_refused(make(tmp_path, "MLmodel", name), into, "no place within a model")
        assert not (tmp_path / "out").exists()

    def test_a_file_twice_is_refused(self, make: Callable[..., Path], tmp_path: Path, into: Path) -> None:
        if make is zipped:
            with pytest.warns(UserWarning, match="Duplicate"):
                archive = make(tmp_path, "a", "a")
        else:
            archive = make(tmp_path, "a", "a")
        assert_refused(archive, into, "twice")

    def test_one_without_files_is_no_model(self, make: Callable[..., Path], tmp_path: Path, into: Path) -> None:
        assert_refused(make(tmp_path), into, "no file")

    def test_what_is_cut_off_is_refused(self, make: Callable[..., Path], tmp_path: Path, into: Path) -> None:
        archive = make(tmp_path, "MLmodel", "weights.bin")
        archive.write_bytes(archive.read_bytes()[:-30])
        assert_refused(archive, into, "cannot be read")

    def test_what_is_no_archive_is_refused(self, make: Callable[..., Path], tmp_path: Path, into: Path) -> None:
        archive = make(tmp_path, "MLmodel")
        archive.write_text("<html>Please log in</html>")
        assert_refused(archive, into, "cannot be read")


@pytest.mark.parametrize("kind", ["tar", "zip"])
def test_a_bomb_is_refused_before_it_fills_the_disk(
    kind: str, tmp_path: Path, into: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archives, "ALWAYS_ALLOWED", 1_000_000)
    zeros = bytes(20_000_000)
    archive = tar(tmp_path, member("z"), content=zeros) if kind == "tar" else zipped(tmp_path, "z", content=zeros)
    assert_refused(archive, into, "100 times its size")


def test_more_entries_than_any_model_has_are_refused(
    tmp_path: Path, into: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archives, "MOST_ENTRIES", 10)
    assert_refused(tar(tmp_path, *(member(str(number)) for number in range(11))), into, "more than 10 entries")


@pytest.mark.parametrize("format", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT])
@pytest.mark.parametrize("names", [["a" * 2_000_000], ["w", "b" * 2_000_000]])
def test_a_name_that_fills_the_memory_is_refused(format: int, names: list[str], tmp_path: Path, into: Path) -> None:
    with tarfile.open(tmp_path / "model.tar.gz", "w:gz", format=format) as archive:
        for name in names:
            archive.addfile(member(name))
    assert_refused(tmp_path / "model.tar.gz", into, "larger than any model's")


def test_names_as_long_as_a_path_may_be_are_unpacked(tmp_path: Path, into: Path) -> None:
    name = "/".join(["n" * 200] * 10)
    unpack(tar(tmp_path, member(name), member("w"), content=bytes(3_000_000)), into, Watch())
    assert read(into) == {name: bytes(3_000_000), "w": bytes(3_000_000)}


@pytest.mark.parametrize("target", ["/etc/hosts", "../secret", "nothing"])
@pytest.mark.parametrize("kind", ["tar", "zip"])
def test_a_link_that_leads_out_is_refused(kind: str, target: str, tmp_path: Path, into: Path) -> None:
    (tmp_path / "secret").write_text("s")
    if kind == "tar":
        archive = tar(tmp_path, member("w"), member("link", tarfile.SYMTYPE, target))
    else:
        archive = zipped(tmp_path, "link", mode=stat.S_IFLNK | 0o777, content=target.encode())
    assert_refused(archive, into, "out of the model|link to nothing")


def test_nothing_is_written_through_a_link(tmp_path: Path, into: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    for inside in (member("code/load.py"), member("code/a/b", tarfile.SYMTYPE, "../w")):
        archive = tar(tmp_path, member("w"), member("code", tarfile.SYMTYPE, str(outside)), inside)
        assert_refused(archive, into, "twice")
        assert list(outside.iterdir()) == []


def test_a_link_below_a_file_is_refused(tmp_path: Path, into: Path) -> None:
    assert_refused(tar(tmp_path, member("w"), member("w/link", tarfile.SYMTYPE, "w")), into, "twice")


def test_links_are_unpacked_where_the_state_lies_behind_a_link(tmp_path: Path, into: Path) -> None:
    (tmp_path / "link").symlink_to(into.parent)
    archive = tar(tmp_path, member("code/load.py"), member("code/soft", tarfile.SYMTYPE, "load.py"), member("w"))
    unpack(archive, tmp_path / "link" / "folder", Watch())
    assert read(into) == {"code/load.py": b"w", "code/soft": b"w", "w": b"w"}


def test_links_within_the_model_are_unpacked_as_content(tmp_path: Path, into: Path) -> None:
    archive = tar(tmp_path, member("w"), member("soft", tarfile.SYMTYPE, "w"), member("hard", tarfile.LNKTYPE, "w"))
    unpack(archive, into, Watch())
    assert read(into) == {"w": b"w", "soft": b"w", "hard": b"w"}
    assert not any(path.is_symlink() for path in into.rglob("*"))


@pytest.mark.parametrize("kind", [tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE])
def test_a_device_or_a_pipe_is_refused(kind: bytes, tmp_path: Path, into: Path) -> None:
    assert_refused(tar(tmp_path, member("w"), member("device", kind)), into, "no part of a model")


def test_what_was_executable_is(tmp_path: Path, into: Path) -> None:
    unpack(tar(tmp_path, member("serve", mode=0o755), member("w")), into, Watch())
    assert (into / "serve").stat().st_mode & 0o777 == 0o555
    assert (into / "w").stat().st_mode & 0o777 == 0o444
