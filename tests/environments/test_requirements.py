"""What a model's requirements.txt says, and what of it cannot be followed."""

from pathlib import Path

import pytest

from deployer.environments.requirements import Option, Requirements, requirements_of
from deployer.errors import InvalidModel
from tests.environments.packages import wheel


def read(model: Path, text: str) -> Requirements:
    (model / "requirements.txt").write_text(text)
    found = requirements_of(model)
    assert found
    return found


def wanted(model: Path, text: str) -> list[str]:
    return [str(one.requirement) for one in read(model, text).wanted]


def refused(model: Path, text: str) -> str:
    with pytest.raises(InvalidModel) as error:
        read(model, text)
    assert error.value.hint
    return error.value.what


def test_a_model_without_the_file_asks_for_nothing(model: Path) -> None:
    assert requirements_of(model) is None
    (model / "model.pkl").write_text("")
    assert requirements_of(model / "model.pkl") is None


def test_comments_blank_lines_and_continued_ones_read_as_pip_reads_them(model: Path) -> None:
    text = "# a comment\n\nnumpy==2.0 # why\r\nscikit-learn \\\n  >=1.5\nhttpx[http2] ; python_version > '3'\n"
    assert wanted(model, text) == ["numpy==2.0", "scikit-learn>=1.5", 'httpx[http2]; python_version > "3"']


def test_hashes_stay_with_their_requirement(model: Path) -> None:
    (one,) = read(model, "tiny==1.0 \\\n  --hash=sha256:bb \\\n  --hash sha256:aa\n").wanted
    assert (str(one.requirement), one.hashes) == ("tiny==1.0", ("sha256:aa", "sha256:bb"))


def test_files_of_the_model_that_it_names_are_followed_once(model: Path) -> None:
    (model / "more").mkdir()
    (model / "more" / "base.txt").write_text("-r ../requirements.txt\nidna\n")
    (model / "constraints.txt").write_text("numpy==2.0\n")
    found = read(model, "-r more/base.txt\n--constraint=constraints.txt\ntiny\n")
    assert [one.name for one in found.wanted] == ["idna", "tiny"]
    assert [str(one.requirement) for one in found.constraints] == ["numpy==2.0"]


def test_a_package_in_the_model_is_wanted_at_its_version(model: Path) -> None:
    path = wheel(model / "wheels", "tiny", "1.0")
    (one,) = read(model, "wheels/tiny-1.0-py3-none-any.whl\n").wanted
    assert (str(one.requirement), one.file) == ("tiny==1.0", path)


def test_what_is_meant_for_an_installer_is_kept_for_it(model: Path) -> None:
    (model / "wheels").mkdir()
    text = "-i https://one/simple\n--extra-index-url=https://two/simple\n-f wheels\n--no-binary :all:\n--pre\n"
    assert read(model, text).options == (
        Option("--index-url", "https://one/simple"),
        Option("--extra-index-url", "https://two/simple"),
        Option("--find-links", str(model / "wheels")),
        Option("--no-binary", ":all:"),
        Option("--pre"),
    )


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("-e .", "no part of the model"),
        ("--editable=src", "no part of the model"),
        ("-r ../elsewhere.txt", "leads out of the model"),
        ("-c https://host/constraints.txt", "not in the model"),
        ("-r absent.txt", "there is no absent.txt in the model"),
        ("scikit learn", "neither a requirement"),
        ("numpy==", "neither a requirement"),
        ("https://host/tiny-1.0-py3-none-any.whl", "NAME @ URL"),
        ("wheels/tiny-1.0-py3-none-any.whl", "there is no wheels/tiny-1.0-py3-none-any.whl in the model"),
        ("tiny --config-settings=a=b", "--config-settings cannot be had"),
        ("tiny --hash='", "No closing quotation"),
    ],
)
def test_a_line_that_cannot_be_followed_is_named_with_the_reason(line: str, said: str, model: Path) -> None:
    (model.parent / "elsewhere.txt").write_text("")
    what = refused(model, f"numpy\n{line}\n")
    assert said in what and repr(line) in what


@pytest.mark.parametrize(
    "line",
    [
        "--index-url https://ann:hush@host/simple",
        "--extra-index-url https://hush@host/simple",
        "tiny @ https://ann:hush@host/tiny-1.0-py3-none-any.whl",
        "tiny @ git+https://hush@host/tiny",
    ],
)
def test_a_login_in_a_line_is_refused_and_not_repeated(line: str, model: Path) -> None:
    what = refused(model, line)
    assert "login" in what and "hush" not in what


@pytest.mark.parametrize(
    "line", ["tiny @ git+ssh://git@host/tiny@v1", "--index-url https://${USER}:${TOKEN}@host/simple"]
)
def test_a_login_that_is_not_written_out_is_none(line: str, model: Path) -> None:
    read(model, line)


def test_a_file_that_is_no_text_is_refused(model: Path) -> None:
    (model / "requirements.txt").write_bytes(b"\xff\xfe\x00n")
    with pytest.raises(InvalidModel, match="no text"):
        requirements_of(model)
