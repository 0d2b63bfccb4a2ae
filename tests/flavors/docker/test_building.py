"""Images that are built for models, on a real engine, from packages of the tests' own."""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from deployer.errors import EnvironmentFailed, ImageUnusable, RolloutTimeout
from deployer.flavors.docker import labels
from deployer.flavors.docker.built import Built
from deployer.flavors.docker.connection import Connection
from deployer.flavors.docker.container import PORT, USER
from deployer.flavors.docker.refusals import gone_is_fine, refusals
from deployer.records.record import Image
from deployer.rollout.steps import Progress
from tests.environments.packages import wheel
from tests.flavors.docker.conftest import model_of, pip_asks, served_packages, until
from tests.flavors.docker.images import BASE, Asked, images
from tests.support.package_index import Index, package_index

if TYPE_CHECKING:
    from docker import APIClient

pytestmark = [pytest.mark.xdist_group("docker"), pytest.mark.usefixtures("docker_engine")]
PASSWORD = "very-secret"
LOGIN = f"reader:{PASSWORD}"


@dataclass(frozen=True)
class Example:
    """An image that was built, and what it was built from."""

    model: Path
    asked: Asked
    image: Image


@pytest.fixture(scope="module")
def example(docker_engine: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Example]:
    """From an index that asks for a login; of a model that holds a package which needs another one."""
    folder, monkeypatch = tmp_path_factory.mktemp("example"), pytest.MonkeyPatch()
    model = model_of(folder / "model", "wheels/needy-1.0-py3-none-any.whl", "-c constraints.txt")
    wheel(model / "wheels", "needy", "1.0", ("tiny",))
    (model / "constraints.txt").write_text("tiny<2\n")
    with monkeypatch.context() as patch, package_index(served_packages(folder / "index"), LOGIN) as index:
        pip_asks(index, patch)
        asked = Asked(model)
        example = Example(model, asked, asked.image(images()))
        yield example
    removed(example.image)


def removed(image: Image) -> None:
    with gone_is_fine(), refusals("it could not be removed"):
        Connection().api.remove_image(image.reference)


def said_by(api: "APIClient", image: Image, program: str) -> str:
    """What Python prints in a container as a server's is: read-only, unprivileged, without capabilities."""
    host = api.create_host_config(
        read_only=True, cap_drop=["ALL"], security_opt=["no-new-privileges"], network_mode="none"
    )
    made = api.create_container(image.id, ["python3", "-P", "-c", program], user=USER, host_config=host)
    try:
        api.start(made["Id"])
        api.wait(made["Id"])
        return bytes(api.logs(made["Id"])).decode().strip()
    finally:
        api.remove_container(made["Id"], force=True)


def stages(api: "APIClient") -> list[str]:
    """What builds have left."""
    return [*(image["Id"] for image in api.images(filters={"label": labels.BUILDING})), *at_work(api)]


def at_work(api: "APIClient") -> list[str]:
    return [one["Id"] for one in api.containers(all=True, filters={"label": [labels.BUILDING]})]


def test_an_image_holds_what_the_model_asks_for_and_what_serves_it_and_says_its_port(
    api: "APIClient", example: Example
) -> None:
    program = "import needy, os, pandas, tiny, uvicorn, uvloop; print(tiny.VERSION, os.getuid())"
    assert said_by(api, example.image, program) == "1.0 1000"
    assert example.image.port == PORT
    assert stages(api) == []


def test_the_build_is_told_line_by_line_as_a_step(example: Example) -> None:
    assert example.asked.steps == ["build"]
    assert any("Collecting tiny" in line for line in example.asked.lines)
    assert example.image.reference.partition(":")[2][:12] in example.asked.told[0].step.cause


def test_what_is_the_same_is_built_once(example: Example) -> None:
    again = Asked(example.model)
    assert again.image(images(), model_type="something else") == example.image
    assert again.told == []


def test_a_login_of_the_index_is_nowhere_afterwards(api: "APIClient", example: Example) -> None:
    id = example.image.id
    shown = (api.inspect_image(id), api.history(id), example.asked.told)  # type: ignore[no-untyped-call]
    assert PASSWORD not in repr(shown)
    assert not any(PASSWORD.encode() in chunk for chunk in api.get_image(id)), "nor in a layer"
    assert stages(api) == []


def test_images_that_nobody_names_or_has_needed_for_a_day_are_removed(api: "APIClient", example: Example) -> None:
    built, image = Built(Connection()), Asked(example.model).image(images())
    built.collect(set())
    assert api.images(image.reference), "a day has not passed"
    built.collect({image.id}, untouched_s=0)
    assert api.images(image.reference), "it is named"
    container = api.create_container(image.id, ["x"])["Id"]
    built.collect(set(), untouched_s=0)
    assert api.images(image.reference), "a container has it"
    api.remove_container(container)
    time.sleep(2)
    Asked(example.model).image(images())
    built.collect(set(), untouched_s=2)
    assert api.images(image.reference), "it was needed again"
    built.collect(set(), untouched_s=0)
    assert api.images(image.reference) == []
    assert api.images(BASE), "which is not ours"


def test_an_image_that_is_gone_is_built_anew_for_a_rollback(api: "APIClient", example: Example) -> None:
    removed(example.image)
    asked = Asked(example.model)
    again = asked.image_again(images(), example.image)
    assert (again.reference, again.port) == (example.image.reference, example.image.port)
    assert asked.steps == ["build"]
    assert api.images(again.reference)


def test_a_build_that_fails_shows_what_its_failing_step_wrote_last_and_no_login_and_leaves_nothing(
    api: "APIClient", tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = Asked(model_of(tmp_path / "model", "tiny==3"))
    with package_index(served_packages(tmp_path / "index"), LOGIN) as private:
        pip_asks(private, monkeypatch)
        with pytest.raises(EnvironmentFailed, match="could not be built") as error:
            asked.image(images())
    tail = error.value.log_tail.splitlines()
    assert tail[-1] == "ERROR: No matching distribution found for tiny==3"
    assert len(tail) <= 15 and "Step" not in error.value.log_tail and "\x1b" not in error.value.log_tail
    assert "nothing was changed" in error.value.serving and "requirements.txt" in error.value.hint
    assert PASSWORD not in f"{error.value}{asked.told}"
    assert stages(api) == []


def test_a_base_of_another_python_than_the_models_is_told(api: "APIClient", index: Index, tmp_path: Path) -> None:
    model = model_of(tmp_path / "model", "tiny", python="3.6")
    with pytest.raises(EnvironmentFailed, match=r"made with Python 3\.6; the base image has Python 3\.\d+"):
        Asked(model).image(images())


def test_a_base_that_cannot_be_had_is_told_with_the_setting_that_names_it(index: Index, model: Path) -> None:
    with pytest.raises(ImageUnusable, match=r"127\.0\.0\.1:1/none:3") as error:
        Asked(model).image(images(base_image="127.0.0.1:1/none:{python}"))
    assert "base_image" in error.value.hint


def test_when_its_time_is_up_a_build_is_ended_though_it_says_nothing_and_leaves_nothing(
    api: "APIClient", index: Index, model: Path
) -> None:
    began = time.monotonic()
    with pytest.raises(RolloutTimeout, match=r"not built within 1\.5 s") as error:
        Asked(model, seconds=1.5).image(images())
    assert time.monotonic() - began < 1.5 + 8
    assert "nothing was changed" in error.value.serving
    until(lambda: stages(api) == [])


def test_who_is_interrupted_while_it_builds_leaves_nothing(api: "APIClient", index: Index, model: Path) -> None:
    def interrupted(progress: Progress) -> None:
        if at_work(api):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Asked(model, on_progress=interrupted).image(images())
    until(lambda: stages(api) == [])


def test_who_is_killed_while_it_builds_leaves_only_what_is_swept_later(
    api: "APIClient", index: Index, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = "import sys; from pathlib import Path; from tests.flavors.docker.images import *;"
    program += "Asked(Path(sys.argv[1])).image(images())"
    root = Path(__file__).parents[3]
    deployer = subprocess.Popen([sys.executable, "-c", program, str(model)], cwd=root)
    try:
        until(lambda: at_work(api), 60)
    finally:
        deployer.send_signal(signal.SIGKILL)
        deployer.wait()
    until(lambda: not at_work(api))
    Built(Connection()).sweep()
    assert stages(api) != [], "it could still be somebody's"
    monkeypatch.setattr("deployer.flavors.docker.built.BROKEN_OFF_S", 0)
    Built(Connection()).sweep()
    assert stages(api) == []
