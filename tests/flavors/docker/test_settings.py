"""Settings of images, checked before anything is touched."""

import pytest
from pydantic import ValidationError

from deployer.flavors.docker.settings import DockerSettings


@pytest.mark.parametrize("place", ["ghcr.io/us/models", "127.0.0.1:5000/models", "us/models", ""])
def test_images_are_pushed_to_a_repository(place: str) -> None:
    assert DockerSettings(push_to=place).push_to == place


@pytest.mark.parametrize(
    "place", ["http://ghcr.io/us", "ghcr.io/us/models:1", "ghcr.io/us@sha256:1", "ghcr.io/", "a b"]
)
def test_what_is_no_repository_is_refused(place: str) -> None:
    with pytest.raises(ValidationError, match="push_to"):
        DockerSettings(push_to=place)


def test_a_login_is_a_reference_and_never_shown() -> None:
    with pytest.raises(ValidationError, match="give a reference") as error:
        DockerSettings(push_to="ghcr.io/us", registry_credentials="me:secret")
    assert "secret" not in str(error.value)


def test_a_login_is_for_a_registry_that_is_named() -> None:
    with pytest.raises(ValidationError, match="give one"):
        DockerSettings(registry_credentials="env:LOGIN")
    assert DockerSettings(registry_credentials="env:LOGIN", image="ghcr.io/us/model:1").image
