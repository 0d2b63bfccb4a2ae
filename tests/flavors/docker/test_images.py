"""Images that users name."""

import io
import json
import socket
import tarfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from deployer.engine import Launch
from deployer.errors import EngineUnavailable, ImageUnusable, InvalidConfig, RolloutTimeout
from deployer.flavors.docker.container import PORT
from tests.flavors.docker.images import TAKES_PORT, Asked, images

if TYPE_CHECKING:
    from docker import APIClient

pytestmark = [pytest.mark.xdist_group("docker"), pytest.mark.usefixtures("docker_engine")]
ABSENT = "127.0.0.1:1/none"
OWN_COMMAND = Launch(argv=(), readiness_path="/")


def empty_image(api: "APIClient", name: str, **described: Any) -> str:
    """One without a layer, as `docker load` takes it."""
    config = {"architecture": "amd64", "os": "linux", "config": {}, "rootfs": {"type": "layers", "diff_ids": []}}
    files = {
        "config.json": json.dumps(config | described).encode(),
        "manifest.json": json.dumps([{"Config": "config.json", "RepoTags": [name], "Layers": []}]).encode(),
    }
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for place, content in files.items():
            member = tarfile.TarInfo(place)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    list(api.load_image(archive.getvalue()))  # type: ignore[no-untyped-call]
    return name


def exposing(api: "APIClient", *ports: str, name: str = "exposes:1") -> str:
    architecture = {"x86_64": "amd64", "aarch64": "arm64"}[api.info()["Architecture"]]
    return empty_image(api, name, architecture=architecture, config={"ExposedPorts": {port: {} for port in ports}})


@contextmanager
def silent_registry() -> Iterator[str]:
    """It takes calls, and answers none."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"127.0.0.1:{server.getsockname()[1]}/none"


def test_the_configs_image_comes_before_the_deployers(api: "APIClient") -> None:
    mine, usual = exposing(api, "1/tcp", name="mine:1"), exposing(api, "2/tcp", name="usual:1")
    assert Asked().image(images(image=usual), mine).reference == mine
    assert Asked().image(images(image=usual)).reference == usual


def test_a_runtime_that_none_is_built_for_needs_one_that_is_named(api: "APIClient") -> None:
    with pytest.raises(InvalidConfig, match="needs an image") as error:
        Asked().image(images(), runtime="command")
    assert "docker" in error.value.hint and "image" in error.value.hint


def test_one_that_the_engine_has_is_not_asked_for_elsewhere_and_is_pinned_by_its_id(api: "APIClient") -> None:
    asked, name = Asked(), exposing(api, name=f"{ABSENT}:1")
    assert asked.image(images(), name).id == api.inspect_image(name)["Id"]  # type: ignore[no-untyped-call]
    assert asked.told == []


@pytest.mark.parametrize("name", [ABSENT, f"{ABSENT}:tag", f"{ABSENT}@sha256:{'0' * 64}"])
def test_one_that_cannot_be_pulled_is_told_with_the_registrys_reason(name: str) -> None:
    asked = Asked()
    with pytest.raises(ImageUnusable, match=r"cannot be had.*connection refused") as error:
        asked.image(images(), name)
    assert name in error.value.what
    assert "nothing was changed" in error.value.serving and "docker login" in error.value.hint
    assert [str(progress.step.action) for progress in asked.told][:1] == ["fetch"]


@pytest.mark.parametrize("name", ["Not/A/Name", "a:b:c", "http://there/it"])
def test_what_is_no_name_of_an_image_is_told(name: str) -> None:
    with pytest.raises(InvalidConfig, match=f"'{name}' is no name of an image"):
        Asked().image(images(), name)


def test_a_registry_that_does_not_answer_keeps_nobody_beyond_his_time() -> None:
    began = time.monotonic()
    with silent_registry() as name, pytest.raises(RolloutTimeout, match="not pulled within 2 s"):
        Asked(seconds=2).image(images(), name)
    assert time.monotonic() - began < 4


def test_an_engine_that_is_not_there_may_come_back() -> None:
    with pytest.raises(EngineUnavailable, match="no Docker engine answers"):
        Asked().image(images(docker_host="unix:///nowhere.sock"), ABSENT)


def test_one_for_other_machines_is_told_with_how_to_build_it(api: "APIClient") -> None:
    with pytest.raises(ImageUnusable, match="is for linux/s390x; the engine runs linux/") as error:
        Asked().image(images(), empty_image(api, "elsewhere:1", architecture="s390x"))
    assert "--platform linux/" in error.value.hint


def test_a_server_listens_where_the_config_says_else_where_its_command_line_takes_it_else_where_the_image_says(
    api: "APIClient",
) -> None:
    name = exposing(api, "9000/tcp", "9001/udp")
    assert Asked(launch=TAKES_PORT).image(images(), name, port=7000).port == 7000
    assert Asked(launch=TAKES_PORT).image(images(), name).port == PORT
    assert Asked(launch=OWN_COMMAND).image(images(), name).port == 9000


@pytest.mark.parametrize(
    ("ports", "said"), [((), "exposes no port"), (("1/tcp", "20/tcp"), r"exposes the ports 1, 20")]
)
def test_where_it_listens_must_be_known(api: "APIClient", ports: tuple[str, ...], said: str) -> None:
    with pytest.raises(InvalidConfig, match=said) as error:
        Asked(launch=OWN_COMMAND).image(images(), exposing(api, *ports))
    assert "`port`" in error.value.hint


def test_a_rollback_has_the_very_image_whatever_its_name_means_by_now(api: "APIClient") -> None:
    image = Asked().image(images(), exposing(api, "1/tcp", name="mine:1"))
    api.tag(image.id, "kept", "1")
    exposing(api, "2/tcp", name="mine:1")
    assert Asked().image_again(images(), image) == image


def test_a_rollback_to_one_that_is_gone_is_told_never_another_one_used(api: "APIClient") -> None:
    image = Asked().image(images(), exposing(api, "1/tcp", name="mine:1"))
    api.remove_image(image.id)
    exposing(api, "2/tcp", name="mine:1")
    with pytest.raises(ImageUnusable, match="it is another one now"):
        Asked().image_again(images(), image)
    with pytest.raises(ImageUnusable, match="cannot be had"):
        Asked().image_again(images(), image.model_copy(update={"reference": ABSENT}))
