"""What an image is built from, without an engine."""

import io
import tarfile
from pathlib import Path
from typing import Any

import pytest

from deployer.config import ModelServerConfig
from deployer.errors import InvalidModel
from deployer.flavors.docker.container import PORT
from deployer.flavors.docker.context import Context, context_of
from deployer.flavors.docker.pip_settings import pip_files, proxies
from deployer.flavors.docker.transcript import Transcript
from tests.environments.packages import wheel
from tests.flavors.docker.conftest import model_of


def context(model: Path, **config: Any) -> Context:
    return context_of(ModelServerConfig(model_uri="/m", model_name="churn", **config), model)


def sent(context: Context) -> dict[str, str]:
    with context.tar() as content, tarfile.open(fileobj=io.BytesIO(content.read())) as tar:
        files = {member.name: tar.extractfile(member) for member in tar if member.isfile()}
        return {name: file.read().decode(errors="replace") for name, file in files.items() if file}


def conf(**environment: str) -> list[str]:
    return pip_files(environment, "/there")["pip.conf"].decode().splitlines()


def test_the_same_has_one_tag_wherever_it_lies_and_in_whatever_order(tmp_path: Path) -> None:
    one, other = model_of(tmp_path / "a", "tiny", "big>1"), model_of(tmp_path / "b", "big>1  # both", "tiny")
    for model in (one, other):
        wheel(model, "needy", "1.0")
        with (model / "requirements.txt").open("a") as file:
            file.write("\nneedy-1.0-py3-none-any.whl\n")
    assert context(one).tag("base") == context(other).tag("base")
    assert context(one).tag("base").startswith("model-deployer/mlflow:")


def test_what_decides_what_an_image_holds_decides_its_tag(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = model_of(tmp_path / "m", "needy-1.0-py3-none-any.whl")
    wheel(model, "needy", "1.0")
    first = context(model)
    tags = {first.tag("base"), first.tag("another base")}
    wheel(model, "needy", "1.0", ("tiny",))
    tags.add(context(model).tag("base"))
    tags.add(context(model_of(tmp_path / "other", "tiny==2")).tag("base"))
    tags.add(context(model_of(tmp_path / "older", "tiny==2", python="3.9")).tag("base"))
    monkeypatch.setitem(first.files, "Dockerfile", b"FROM another")
    tags.add(first.tag("base"))
    assert len(tags) == 6


def test_where_packages_come_from_does_not_decide_the_tag(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = context(model_of(tmp_path / "m", "tiny")).tag("base")
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:1/simple/")
    assert context(tmp_path / "m").tag("base") == before


def test_what_the_model_brings_is_named_where_it_lies_in_the_build(tmp_path: Path) -> None:
    model = model_of(tmp_path / "m", "--pre", "--find-links wheels", "wheels/needy-1.0-py3-none-any.whl")
    wheel(model / "wheels", "needy", "1.0")
    files = sent(context(model))
    lines = files["requirements.txt"].splitlines()
    assert lines[:2] == ["--pre", "--find-links /build/model/wheels"]
    assert "needy @ file:///build/model/wheels/needy-1.0-py3-none-any.whl" in lines
    assert "model/wheels/needy-1.0-py3-none-any.whl" in files
    assert str(tmp_path) not in "".join(files[name] for name in ("requirements.txt", "constraints.txt", "Dockerfile"))


def test_a_model_that_does_not_say_what_it_requires_has_no_image(tmp_path: Path) -> None:
    with pytest.raises(InvalidModel, match=r"no requirements\.txt") as error:
        context(tmp_path)
    assert "name an image" in error.value.hint


def test_the_image_says_the_port_that_its_server_takes(tmp_path: Path) -> None:
    assert f"EXPOSE {PORT}\n" in sent(context(model_of(tmp_path, "tiny")))["Dockerfile"]


def test_unchecked_takes_any_python(tmp_path: Path) -> None:
    model = model_of(tmp_path, "tiny", python="3.9")
    assert (context(model).python, context(model, environment="unchecked").python) == ("3.9", "")


@pytest.mark.parametrize(
    ("environment", "line"),
    [
        ({"PIP_INDEX_URL": "http://a/", "UV_DEFAULT_INDEX": "http://b/"}, "index-url = http://a/"),
        ({"UV_DEFAULT_INDEX": "ours=http://b/"}, "index-url = http://b/"),
        ({"PIP_TRUSTED_HOST": "a"}, "trusted-host = a"),
        ({"PIP_PROXY": "http://p:1"}, "proxy = http://p:1"),
        ({"PIP_DEFAULT_TIMEOUT": "7"}, "timeout = 7"),
        ({"PIP_NO_INDEX": "1"}, "no-index = 1"),
    ],
)
def test_pip_is_told_what_the_deployers_pip_and_uv_are_told(environment: dict[str, str], line: str) -> None:
    assert line in conf(**environment)


def test_of_several_places_each_has_a_line_and_folders_of_this_machine_are_left_out() -> None:
    lines = conf(PIP_EXTRA_INDEX_URL="http://a/  http://b/", PIP_FIND_LINKS="/wheels http://c/")
    at = lines.index("extra-index-url = http://a/")
    assert lines[at + 1] == "    http://b/"
    assert "find-links = http://c/" in lines
    assert not any("find-links" in line for line in conf(PIP_FIND_LINKS="/wheels"))


def test_certificates_go_along(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("trust me")
    files = pip_files({"PIP_CERT": f"{tmp_path}/not-there", "SSL_CERT_FILE": f"{tmp_path}/ca.pem"}, "/there")
    assert files["certificates.pem"] == b"trust me"
    assert b"cert = /there/certificates.pem\n" in files["pip.conf"]


def test_proxies_are_arguments_that_engines_keep_to_themselves() -> None:
    told = proxies({"https_proxy": "http://p:1", "NO_PROXY": "here", "OTHER": "x"})
    assert told == {"HTTPS_PROXY": "http://p:1", "https_proxy": "http://p:1", "NO_PROXY": "here", "no_proxy": "here"}


def test_a_transcript_has_the_present_steps_last_lines_without_colours_logins_and_the_engines_own() -> None:
    told: list[str] = []
    said = Transcript(told.append)
    for text in ("Step 1/2 : RUN a\n", "of the first\n", "Step 2/2 : RUN b\n", " ---> Running in 1234\n"):
        said.take({"stream": text})
    assert said.tail("nothing was said") == "nothing was said"
    said.take({"stream": "\x1b[91mfrom https://me:secret@host/x\x1b[0m\n\n"})
    said.take({"aux": {"ID": "sha256:1"}})
    assert said.tail() == "from https://***@host/x"
    for number in range(30):
        said.take({"stream": f"line {number}\n"})
    assert said.tail().splitlines() == [f"line {number}" for number in range(15, 30)]
    assert told[:4] == ["Step 1/2 : RUN a", "of the first", "Step 2/2 : RUN b", "from https://***@host/x"]
