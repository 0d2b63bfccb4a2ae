"""References become secrets at the last moment, and no error ever shows one."""

import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from prefect.blocks.core import Block
from prefect.blocks.system import Secret
from prefect.settings import PREFECT_API_URL, temporary_settings
from pydantic import SecretStr, ValidationError

from blocks.process_model_deployer import ProcessModelDeployer as ProcessModelDeployerBlock
from deployer.config import Access, ModelServerConfig
from deployer.errors import PrefectUnavailable, SecretUnresolved
from deployer.flavors.process.settings import ProcessSettings
from deployer.secrets import resolve

SECRET = "s3cr3t"


class Blocks:
    """What `Block.aload` finds, in place of a Prefect server's blocks; the blocks themselves are real."""

    def __init__(self) -> None:
        self.stored: dict[str, Any] = {}

    async def load(self, slug: str, **_: object) -> Any:
        if slug not in self.stored:
            raise ValueError(f"Unable to find block document {slug}")
        if isinstance(self.stored[slug], Exception):
            raise self.stored[slug]
        return self.stored[slug]


@pytest.fixture
def blocks(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    blocks = Blocks()
    monkeypatch.setattr(Block, "aload", blocks.load)
    with temporary_settings({PREFECT_API_URL: "http://127.0.0.1:9/api"}):
        yield blocks.stored


class Vault(Block):
    _block_type_slug = "vault"
    token: SecretStr

    def get_secret_value(self) -> str:
        return self.token.get_secret_value()


class Number(Block):
    _block_type_slug = "number"

    def get(self) -> object:
        return {"user": SECRET}


def refused(reference: str) -> SecretUnresolved:
    with pytest.raises(SecretUnresolved) as error:
        resolve({"FINE": "env:PATH", "TOKEN": reference})
    assert "TOKEN" in error.value.what
    assert reference in error.value.what
    assert error.value.hint
    assert SECRET not in "".join(traceback.format_exception(error.value))
    return error.value


def test_no_references_are_no_secrets() -> None:
    assert resolve({}) == {}


def test_a_variable_of_the_deployers_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OF_DEPLOYER", SECRET)
    assert resolve({"TOKEN": "env:OF_DEPLOYER"}) == {"TOKEN": SECRET}


@pytest.mark.parametrize(
    ("content", "secret"),
    [("s", "s"), ("s\n", "s"), ("s\r\n", "s"), ("s\n\n", "s\n"), (" s ", " s "), ("a\nb\n", "a\nb"), ("", "")],
)
def test_a_file_without_its_last_line_end(content: str, secret: str, tmp_path: Path) -> None:
    (tmp_path / "token").write_bytes(content.encode())
    assert resolve({"TOKEN": f"file:{tmp_path}/token"}) == {"TOKEN": secret}


@pytest.mark.parametrize("value", [SECRET, "007", "true", '{"user": "me"}'])
def test_a_secret_block_gives_its_text_as_it_is(value: str, blocks: dict[str, Any]) -> None:
    blocks["secret/token"] = Secret(value=value)
    assert resolve({"TOKEN": "prefect:secret/token"}) == {"TOKEN": value}


def test_any_block_with_a_secret_value(blocks: dict[str, Any]) -> None:
    blocks["vault/token"] = Vault(token=SecretStr(SECRET))
    assert resolve({"TOKEN": "prefect:vault/token"}) == {"TOKEN": SECRET}


def test_a_variable_that_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MISSING", raising=False)
    assert "Set MISSING" in refused("env:MISSING").hint


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    assert "No such file" in refused(f"file:{tmp_path}/token").what
    assert "directory" in refused(f"file:{tmp_path}").what


@pytest.mark.parametrize("content", [SECRET.encode() + b"\xff", SECRET.encode() + b"\0"])
def test_a_file_that_no_variable_can_hold(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "token").write_bytes(content)
    refused(f"file:{tmp_path}/token")


def test_a_block_that_does_not_exist(blocks: dict[str, Any]) -> None:
    assert "no Prefect Block named 'secret/missing'" in refused("prefect:secret/missing").what


def test_a_prefect_that_does_not_answer(blocks: dict[str, Any]) -> None:
    blocks["secret/token"] = RuntimeError(f"refused with {SECRET}")
    with pytest.raises(PrefectUnavailable, match="PREFECT_API_URL") as caught:
        resolve({"TOKEN": "prefect:secret/token"})
    assert "for TOKEN" in caught.value.what and "'prefect:secret/token'" in caught.value.what
    assert SECRET not in "".join(traceback.format_exception(caught.value))


def test_a_block_of_a_type_that_fails(blocks: dict[str, Any]) -> None:
    blocks["vault/token"] = KeyError(SECRET)
    assert "KeyError" in refused("prefect:vault/token").what


def test_a_block_that_holds_no_text(blocks: dict[str, Any]) -> None:
    blocks["number/token"] = Number()
    assert "no text" in refused("prefect:number/token").what


def test_a_kubernetes_secret_elsewhere() -> None:
    assert "Kubernetes" in refused("kubernetes:churn/token").what


@pytest.mark.parametrize("given", [SECRET, f"vault:{SECRET}", f"https://{SECRET}@host", ""])
def test_a_secret_in_place_of_a_reference_is_not_shown(given: str) -> None:
    with pytest.raises(SecretUnresolved, match="TOKEN") as error:
        resolve({"TOKEN": given})
    assert "env:…, file:…, prefect:…" in error.value.hint
    assert SECRET not in "".join(traceback.format_exception(error.value))


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: ProcessSettings(token=SECRET),
        lambda: ProcessSettings.model_validate({"token": SECRET, "gateway_port": 0}),
        lambda: ProcessModelDeployerBlock(token=SECRET),
        lambda: Access(token=SECRET),
        lambda: ModelServerConfig(model_uri="m", name="n", secrets={"KEY": SECRET}),
        lambda: ModelServerConfig(model_uri="m", secrets={"KEY": SECRET}),
        lambda: ModelServerConfig.model_validate({"model_uri": "m", "name": "n", "access": {"token": SECRET}}),
        lambda: ModelServerConfig.model_validate({"model_uri": "m", "name": "n", "access": SECRET}),
        lambda: ModelServerConfig.model_validate({"name": "n", "env": {"KEY": SECRET}}),
    ],
)
def test_what_does_not_fit_a_config_or_settings_is_not_shown(wrong: Callable[[], object]) -> None:
    with pytest.raises(ValidationError) as error:
        wrong()
    assert SECRET not in "".join(traceback.format_exception(error.value))
