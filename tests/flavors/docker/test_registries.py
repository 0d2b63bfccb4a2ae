"""Images that go to a registry and come from one, which asks for a login."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from deployer.errors import EngineError, EngineUnavailable, ImageUnusable, RolloutTimeout, SecretUnresolved
from deployer.records.record import Image
from tests.conftest import required_engines as required
from tests.flavors.docker.conftest import model_of
from tests.flavors.docker.images import BASE, Asked, images
from tests.flavors.docker.test_images import empty_image, silent_registry
from tests.support.image_registry import PASSWORD, USER, Registry, image_registry, missing_programs
from tests.support.package_index import Index

if TYPE_CHECKING:
    from docker import APIClient

pytestmark = [pytest.mark.xdist_group("docker"), pytest.mark.usefixtures("docker_engine")]


@pytest.fixture
def registry(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Registry]:
    if advice := missing_programs():
        assert "docker" not in required(request.config), f"ENGINES names docker, whose tests need a registry: {advice}"
        pytest.skip(f"no registry of images: {advice}")
    (tmp_path / "registry").mkdir()
    with image_registry(tmp_path / "registry") as registry:
        yield registry


@pytest.fixture
def login(monkeypatch: pytest.MonkeyPatch) -> str:
    """A reference to it."""
    monkeypatch.setenv("REGISTRY_LOGIN", f"{USER}:{PASSWORD}")
    return "env:REGISTRY_LOGIN"


@pytest.fixture
def built(api: "APIClient", model: Path, index: Index) -> Image:
    """What the engine has already, as if it had been built: so that a test need not wait for that."""
    from deployer.config import ModelServerConfig
    from deployer.flavors.docker.context import context_of

    config = ModelServerConfig(model_uri="/m", model_name="churn")
    told = api.inspect_image(BASE)  # type: ignore[no-untyped-call]
    tag = context_of(config, model).tag(told["Id"])
    name = empty_image(api, tag, architecture=told["Architecture"])
    made = api.inspect_image(name)  # type: ignore[no-untyped-call]
    return Image(reference=tag, id=made["Id"], port=8080)


def pushed_as(image: Image) -> str:
    return f"mlflow-{image.reference.rpartition(':')[2]}"


def test_what_was_built_is_pushed_once_and_told_as_a_step(
    registry: Registry, login: str, built: Image, model: Path
) -> None:
    asked, again, settings = Asked(model), Asked(model), {"push_to": f"{registry.host}/us/models"}
    images_there = images(**settings, registry_credentials=login)
    assert asked.image(images_there) == built
    assert registry.tags("us/models") == [pushed_as(built)]
    assert asked.steps == ["build"] and "pushed" in asked.told[0].step.cause
    assert any(line.startswith(pushed_as(built)) for line in asked.lines), "the registry's digest"
    assert again.image(images_there) == built
    assert again.told == []


def test_what_a_registry_has_lost_is_pushed_again(registry: Registry, login: str, built: Image, model: Path) -> None:
    there = images(push_to=f"{registry.host}/us/models", registry_credentials=login)
    Asked(model).image(there)
    registry.forget("us/models")
    Asked(model).image(there)
    assert registry.tags("us/models") == [pushed_as(built)]


@pytest.mark.parametrize("value", [None, f"{USER}:wrong-secret"])
def test_a_registry_that_refuses_is_told_with_what_to_see_to(
    registry: Registry, built: Image, model: Path, value: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = {"registry_credentials": "env:REGISTRY_LOGIN"} if value else {}
    monkeypatch.setenv("REGISTRY_LOGIN", value or "")
    asked = Asked(model)
    with pytest.raises(EngineError, match="could not be pushed") as error:
        asked.image(images(push_to=f"{registry.host}/us/models", **given))
    assert "registry_credentials" in error.value.hint and "nothing was changed" in error.value.serving
    assert "wrong-secret" not in f"{error.value}{asked.told}"
    assert registry.tags("us/models") == []


def test_a_login_that_is_none_is_told_without_it(
    registry: Registry, built: Image, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REGISTRY_LOGIN", "only-a-password")
    with pytest.raises(SecretUnresolved, match="is none") as error:
        Asked(model).image(images(push_to=f"{registry.host}/us/models", registry_credentials="env:REGISTRY_LOGIN"))
    assert "only-a-password" not in str(error.value) and "user:password" in error.value.hint


def test_a_registry_that_is_not_there_may_come_back(built: Image, model: Path) -> None:
    with pytest.raises(EngineUnavailable, match="does not answer"):
        Asked(model).image(images(push_to="127.0.0.1:1/us/models"))


def test_a_registry_that_does_not_answer_keeps_nobody_beyond_his_time(built: Image, model: Path) -> None:
    with silent_registry() as name, pytest.raises(RolloutTimeout, match="not pushed within 3 s"):
        Asked(model, seconds=3).image(images(push_to=name))


def test_a_named_image_is_pulled_with_the_login_of_its_registry(
    api: "APIClient", registry: Registry, login: str, built: Image, model: Path
) -> None:
    there = images(push_to=f"{registry.host}/us/models", registry_credentials=login)
    Asked(model).image(there)
    name = f"{registry.host}/us/models:{pushed_as(built)}"
    api.remove_image(name)
    api.remove_image(built.reference)
    asked = Asked()
    with pytest.raises(ImageUnusable, match="cannot be had"):
        asked.image(images(), name)
    assert asked.image(there, name).id == built.id
    assert asked.steps == ["fetch"]


def test_a_login_goes_to_no_other_registry(api: "APIClient", registry: Registry, login: str, tmp_path: Path) -> None:
    settings = {"push_to": "127.0.0.1:1/us/models", "registry_credentials": login}
    with pytest.raises(ImageUnusable, match="cannot be had"):
        Asked(model_of(tmp_path / "m", "tiny")).image(images(**settings), f"{registry.host}/us/models:1")
    assert images(**settings).puller.logins.headers(f"{registry.host}/us/models") == {}
