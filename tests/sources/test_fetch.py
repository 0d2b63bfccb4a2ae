"""What a model URI may be, and what is said of one that cannot be followed."""

import os
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from deployer.errors import InvalidConfig, InvalidModel, ModelNotFound
from deployer.sources.fetch import fetch


@pytest.fixture
def into(tmp_path: Path) -> Path:
    return tmp_path / "store" / "copy"


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return write(tmp_path / "model", {"weights.bin": "w", "code/load.py": "c"})


@pytest.fixture
def homely() -> Iterator[Path]:
    """A folder whose permissions hold for us, also when the tests run as root."""
    with tempfile.TemporaryDirectory() as folder:
        user = os.geteuid()
        if user == 0:
            os.chown(folder, 65534, -1)
            os.seteuid(65534)
        try:
            yield Path(folder)
        finally:
            os.seteuid(user)


def write(folder: Path, files: dict[str, str]) -> Path:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)
    return folder


def read(folder: Path) -> dict[str, str]:
    return {path.relative_to(folder).as_posix(): path.read_text() for path in folder.rglob("*") if path.is_file()}


def test_a_folder_is_copied_with_all_its_files(model: Path, into: Path) -> None:
    assert fetch(str(model), into) == into
    assert read(into) == {"weights.bin": "w", "code/load.py": "c"}


def test_a_single_file_keeps_its_name(model: Path, into: Path) -> None:
    assert fetch(str(model / "weights.bin"), into) == into / "weights.bin"
    assert read(into) == {"weights.bin": "w"}


def test_a_relative_path_starts_at_the_working_directory(
    model: Path, into: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(model.parent)
    fetch("./model/code/..", into)
    assert "weights.bin" in read(into)


def test_a_tilde_is_the_home(model: Path, into: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(model.parent))
    fetch("~/model", into)
    assert "weights.bin" in read(into)


@pytest.mark.parametrize("start", ["file://", "file:", "FILE://localhost"])
def test_a_file_uri_is_percent_decoded(start: str, tmp_path: Path, into: Path) -> None:
    write(tmp_path / "my model #1", {"weights.bin": "w"})
    fetch(f"{start}{tmp_path}/my%20model%20%231", into)
    assert read(into) == {"weights.bin": "w"}


@pytest.mark.parametrize(
    "uri",
    [
        "file://elsewhere/models/churn",
        "file:models/churn",
        "file:///models/churn#1",
        "file:///models/churn?1",
        "file:///models%00",
        "file://",
    ],
)
def test_a_file_uri_that_leads_nowhere_is_refused(uri: str, into: Path) -> None:
    with pytest.raises(InvalidConfig) as refused:
        fetch(uri, into)
    assert uri in refused.value.what
    assert refused.value.hint
    assert not into.exists()


def test_an_unknown_scheme_names_those_that_work(into: Path) -> None:
    with pytest.raises(InvalidConfig, match="gopher") as refused:
        fetch("gopher://host/model", into)
    assert "local path" in refused.value.hint
    assert "file: URI" in refused.value.hint


def test_a_missing_model_is_named_by_its_absolute_path(
    model: Path, into: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(model)
    with pytest.raises(ModelNotFound) as missing:
        fetch("v2/final", into)
    assert str(model / "v2/final") in missing.value.what
    assert str(model) in missing.value.hint
    assert not into.exists()


def test_a_path_through_a_file_is_a_missing_model(model: Path, into: Path) -> None:
    with pytest.raises(ModelNotFound):
        fetch(str(model / "weights.bin" / "v2"), into)


def test_a_folder_without_files_is_no_model(tmp_path: Path, into: Path) -> None:
    write(tmp_path / "empty" / "__pycache__", {"load.pyc": "x"})
    (tmp_path / "empty" / "sub").mkdir()
    with pytest.raises(InvalidModel, match="no file"):
        fetch(str(tmp_path / "empty"), into)


def test_compiled_python_is_left_out(model: Path, into: Path) -> None:
    write(model / "code" / "__pycache__", {"load.pyc": "x"})
    fetch(str(model), into)
    assert read(into) == {"weights.bin": "w", "code/load.py": "c"}


def test_links_within_the_model_are_copied_as_what_they_lead_to(model: Path, into: Path) -> None:
    (model / "latest.bin").symlink_to("weights.bin")
    (model / "more").symlink_to(model / "code")
    fetch(str(model), into)
    assert read(into) == {"weights.bin": "w", "latest.bin": "w", "code/load.py": "c", "more/load.py": "c"}
    assert not any(path.is_symlink() for path in into.rglob("*"))


def test_the_model_itself_may_be_reached_by_a_link(model: Path, into: Path) -> None:
    (model.parent / "latest").symlink_to(model)
    fetch(str(model.parent / "latest"), into)
    assert "weights.bin" in read(into)


@pytest.mark.parametrize("target", ["../secret", "/etc/hosts", ".."])
def test_a_link_out_of_the_model_is_named(target: str, model: Path, into: Path) -> None:
    write(model.parent, {"secret": "s"})
    (model / "code" / "out").symlink_to(target if target.startswith("/") else f"../{target}")
    with pytest.raises(InvalidModel, match="out of the model") as refused:
        fetch(str(model), into)
    assert str(model / "code" / "out") in refused.value.what


@pytest.mark.parametrize("target", ["nothing", "code/self", "code"])
def test_a_link_that_ends_nowhere_is_named(target: str, model: Path, into: Path) -> None:
    (model / "code" / "self").symlink_to(model / target)
    with pytest.raises(InvalidModel) as refused:
        fetch(str(model), into)
    assert str(model / "code" / "self") in refused.value.what


def test_a_socket_is_no_part_of_a_model(model: Path, into: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(model)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("socket")
        with pytest.raises(InvalidModel, match="socket"):
            fetch(str(model), into)


def test_a_device_is_no_model(into: Path) -> None:
    with pytest.raises(InvalidModel, match="neither a file nor a folder"):
        fetch("/dev/null", into)


@pytest.mark.parametrize("name", ["weights.bin", "code", "."])
def test_what_cannot_be_read_is_named(name: str, homely: Path) -> None:
    model = write(homely / "model", {"weights.bin": "w", "code/load.py": "c"})
    mode = (model / name).stat().st_mode
    (model / name).chmod(0o400 if name == "code" else 0)
    try:
        with pytest.raises(InvalidModel, match="Permission denied") as refused:
            fetch(str(model), homely / "copy")
    finally:
        (model / name).chmod(mode)
    assert str(model / name) in refused.value.what


def test_a_model_that_holds_the_store_is_refused(model: Path) -> None:
    with pytest.raises(InvalidModel, match="holds the place"):
        fetch(str(model), model / "state" / "copy")
    assert not (model / "state").exists()


def test_a_copy_can_be_run_but_not_written(model: Path, into: Path) -> None:
    (model / "code" / "load.py").chmod(0o755)
    fetch(str(model), into)
    assert (into / "code" / "load.py").stat().st_mode & 0o777 == 0o555
    assert (into / "weights.bin").stat().st_mode & 0o777 == 0o444
