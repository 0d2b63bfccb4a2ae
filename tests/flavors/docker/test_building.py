"""Images that are built for models, on a real engine, from packages of the tests' own."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from deployer.errors import EnvironmentFailed, ImageUnusable, RolloutTimeout
from deployer.flavors.docker import labels
from deployer.flavors.docker.built import Built
from deployer.flavors.docker.connection import Connection
from deployer.flavors.docker.container import PORT, USER
from deployer.records.record import Image
from tests.environments.packages import slow, wheel
from tests.flavors.docker.conftest import model_of, until
from tests.flavors.docker.images import BASE, Asked, images
from tests.support.package_index import Index, package_index

if TYPE_CHECKING:
    from docker import APIClient

pytestmark = [pytest.mark.xdist_group("docker"), pytest.mark.usefixtures("docker_engine")]
LOGIN = "reader:very-secret"


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
    containers = api.containers(all=True, filters={"label": [labels.BUILDING]})
    return [one["Id"] for one in (*api.images(filters={"label": labels.BUILDING}), *containers)]


def test_an_image_holds_what_the_model_asks_for_and_what_serves_it_and_says_its_port(
    api: "APIClient", index: Index, model: Path
) -> None:
    image = Asked(model).image(images())
    program = "import mlflow_skinny, os, pandas, tiny, uvicorn, uvloop; print(tiny.VERSION, os.getuid())"
    assert said_by(api, image, program.replace("mlflow_skinny", "importlib")) == "1.0 1000"
    assert image.port == PORT
    assert stages(api) == []


def test_the_build_is_told_line_by_line_as_a_step(api: "APIClient", index: Index, model: Path) -> None:
    asked = Asked(model)
    image = asked.image(images())
    assert asked.steps == ["build"]
    assert any("Collecting tiny==1.0" in line for line in asked.lines)
    assert image.reference.partition(":")[2][:12] in asked.told[0].step.cause


def test_what_is_the_same_is_built_once(api: "APIClient", index: Index, model: Path, tmp_path: Path) -> None:
    first, (asked, another) = Asked(model).image(images()), (Asked(model), Asked(model_of(tmp_path / "m", "tiny==2.0")))
    assert asked.image(images(), model_type="something else") == first
    assert asked.told == []
    assert another.image(images()).reference != first.reference


def test_packages_and_constraints_in_the_model_are_heeded(api: "APIClient", index: Index, tmp_path: Path) -> None:
    model = model_of(tmp_path / "model", "wheels/needy-1.0-py3-none-any.whl", "-c constraints.txt")
    wheel(model / "wheels", "needy", "1.0", ("tiny",))
    (model / "constraints.txt").write_text("tiny<2\n")
    assert said_by(api, Asked(model).image(images()), "import needy, tiny; print(tiny.VERSION)") == "1.0"


def test_a_login_of_the_index_is_nowhere_afterwards(
    api: "APIClient", index: Index, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, password = Asked(model), LOGIN.partition(":")[2]
    with package_index(index.folder, LOGIN) as private:
        monkeypatch.setenv("PIP_INDEX_URL", private.url)
        image = asked.image(images())
        assert private.asked, "it came from there"
    shown = (api.inspect_image(image.id), api.history(image.id), asked.told)  # type: ignore[no-untyped-call]
    assert password not in repr(shown)
    assert not any(password.encode() in chunk for chunk in api.get_image(image.id)), "nor in a layer"
    assert stages(api) == []


def test_a_build_that_fails_shows_what_its_failing_step_wrote_last_and_leaves_nothing(
    api: "APIClient", index: Index, tmp_path: Path
) -> None:
    with pytest.raises(EnvironmentFailed, match="could not be built") as error:
        Asked(model_of(tmp_path / "model", "tiny==3")).image(images())
    tail = error.value.log_tail.splitlines()
    assert tail[-1] == "ERROR: No matching distribution found for tiny==3"
    assert len(tail) <= 15 and "Step" not in error.value.log_tail and "\x1b" not in error.value.log_tail
    assert "nothing was changed" in error.value.serving and "requirements.txt" in error.value.hint
    assert stages(api) == []


def test_a_login_is_not_shown_by_a_build_that_fails(
    api: "APIClient", index: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = Asked(model_of(tmp_path / "model", "tiny==3"))
    with package_index(index.folder, LOGIN) as private, pytest.raises(EnvironmentFailed) as error:
        monkeypatch.setenv("PIP_INDEX_URL", private.url)
        asked.image(images())
    assert "very-secret" not in f"{error.value}{asked.told}"


def test_a_base_of_another_python_than_the_models_is_told_unless_nobody_wants_to_know(
    api: "APIClient", index: Index, tmp_path: Path
) -> None:
    model = model_of(tmp_path / "model", "tiny", python="3.6")
    with pytest.raises(EnvironmentFailed, match=r"made with Python 3\.6; the base image has Python 3\.\d+"):
        Asked(model).image(images())
    assert said_by(api, Asked(model).image(images(), environment="unchecked"), "import tiny; print(7)") == "7"


def test_a_base_that_cannot_be_had_is_told_with_the_setting_that_names_it(index: Index, model: Path) -> None:
    with pytest.raises(ImageUnusable, match="127.0.0.1:1/none:3") as error:
        Asked(model).image(images(base_image="127.0.0.1:1/none:{python}"))
    assert "base_image" in error.value.hint


def test_when_its_time_is_up_a_build_is_ended_and_leaves_nothing(
    api: "APIClient", index: Index, tmp_path: Path
) -> None:
    slow(index.folder, tmp_path / "mark")
    began = time.monotonic()
    with pytest.raises(RolloutTimeout, match="not built within 12 s") as error:
        Asked(model_of(tmp_path / "model", "slow==1.0"), seconds=12).image(images())
    assert time.monotonic() - began < 12 + 8
    assert "slow-1.0.tar.gz" in error.value.log_tail
    assert stages(api) == []


def test_who_is_interrupted_while_it_builds_leaves_nothing(api: "APIClient", index: Index, tmp_path: Path) -> None:
    slow(index.folder, tmp_path / "mark")

    def interrupted(line: object) -> None:
        if "slow-1.0.tar.gz" in str(line):
            raise KeyboardInterrupt

    asked = Asked(model_of(tmp_path / "model", "slow==1.0"))
    asked.told.append = interrupted  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        asked.image(images())
    until(lambda: stages(api) == [])


def test_who_is_killed_while_it_builds_leaves_only_what_is_swept_later(
    api: "APIClient", index: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow(index.folder, tmp_path / "mark")
    model = model_of(tmp_path / "model", "slow==1.0")
    program = "import sys; from pathlib import Path; from tests.flavors.docker.images import *;"
    program += "Asked(Path(sys.argv[1])).image(images())"
    root = Path(__file__).parents[3]
    deployer = subprocess.Popen([sys.executable, "-c", program, str(model)], cwd=root, env={**os.environ})
    try:
        until(lambda: any("slow-1.0" in path for path in index.asked), 60)
        assert api.containers(filters={"label": [labels.BUILDING]}), "it is under way"
    finally:
        deployer.send_signal(signal.SIGKILL)
        deployer.wait()
    until(lambda: api.containers(all=True, filters={"label": [labels.BUILDING]}) == [])
    built = Built(Connection())
    built.sweep()
    assert stages(api) != [], "it could still be somebody's"
    monkeypatch.setattr("deployer.flavors.docker.built.BROKEN_OFF_S", 0)
    built.sweep()
    assert stages(api) == []


def test_an_image_that_is_gone_is_built_anew_for_a_rollback(api: "APIClient", index: Index, model: Path) -> None:
    image = Asked(model).image(images())
    api.remove_image(image.reference)
    asked = Asked(model)
    again = asked.image_again(images(), image)
    assert (again.reference, again.port) == (image.reference, image.port)
    assert asked.steps == ["build"]
    assert said_by(api, again, "import tiny; print(tiny.VERSION)") == "1.0"


def test_images_that_nobody_names_or_has_needed_for_a_day_are_removed(
    api: "APIClient", index: Index, model: Path, tmp_path: Path
) -> None:
    image, built = Asked(model).image(images()), Built(Connection())
    named = Asked(model_of(tmp_path / "m", "tiny==2.0")).image(images())

    def there() -> set[str]:
        return {one["Id"] for one in api.images(filters={"label": labels.BUILT, "dangling": False})}

    built.collect({named.id})
    assert there() == {image.id, named.id}, "a day has not passed"
    container = api.create_container(image.id, ["x"])["Id"]
    built.collect({named.id}, untouched_s=0)
    assert there() == {image.id, named.id}, "a container has it"
    api.remove_container(container)
    built.collect({named.id}, untouched_s=0)
    assert there() == {named.id}
    assert api.images(BASE), "which is not ours"


def test_an_image_that_is_used_again_counts_as_new(api: "APIClient", index: Index, model: Path) -> None:
    image, built = Asked(model).image(images()), Built(Connection())
    time.sleep(2)
    Asked(model).image(images())
    built.collect(set(), untouched_s=2)
    assert api.images(image.reference)
