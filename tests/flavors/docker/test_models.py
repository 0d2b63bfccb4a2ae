"""The bytes of models on the engine."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from deployer.errors import ModelGone, StateDirectoryUnusable
from deployer.flavors.docker import labels
from deployer.flavors.docker.models import MOUNTED_AT, Models
from deployer.testing.docker import DockerHarness
from deployer.testing.hammer import Reply
from deployer.testing.models import write_model

pytestmark = [pytest.mark.xdist_group("docker"), pytest.mark.usefixtures("docker_engine")]
DIGEST = "d" * 64


def test_one_volume_serves_all_who_need_the_same_bytes(harness: DockerHarness) -> None:
    for name in ("churn", "fraud"):
        harness.deployer().deploy_model(harness.config("v1", name=name))
    assert len(volumes(harness)) == 1


def test_what_was_not_filled_to_its_end_is_never_used(harness: DockerHarness, tmp_path: Path) -> None:
    half = harness.connection.api.create_volume("half", labels={labels.DIGEST: DIGEST, labels.PLACE: "folder"})
    model = write_model(tmp_path / "m", "v1")
    made = Models(harness.connection, lambda digest: model).ensure(DIGEST, harness.image)
    assert made.name != half["Name"]
    assert Models(harness.connection, nowhere).ensure(DIGEST, harness.image) == made


def test_a_fill_that_is_cut_short_leaves_no_volume_and_no_container(harness: DockerHarness, tmp_path: Path) -> None:
    def vanishes(digest: str) -> Path:
        return tmp_path / "not there"

    with pytest.raises(ModelGone, match="not there"):
        Models(harness.connection, vanishes).ensure(DIGEST, harness.image)
    assert volumes(harness) == []
    assert harness.leftovers() == []


def test_a_model_of_many_megabytes_a_file_or_a_folder_arrives_whole(harness: DockerHarness, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    (folder / "deep" / "er").mkdir(parents=True)
    (folder / "deep" / "er" / "weights").write_bytes(b"\x00\xff" * 20_000_000)
    (folder / "empty").touch()
    single = tmp_path / "model.onnx"
    single.write_bytes(b"onnx" * 1000)
    for number, path in enumerate((folder, single)):
        digest = str(number) * 64
        models = Models(harness.connection, lambda _, path=path: path)  # type: ignore[misc]
        volume = models.ensure(digest, harness.image)
        assert volume.model == f"{MOUNTED_AT}/" + ("folder" if path.is_dir() else "file/model.onnx")
        copied = tmp_path / f"copied-{number}"
        copied.mkdir()
        assert models.copy(digest, copied)
        back = copied / volume.place
        files = [p for p in path.rglob("*") if p.is_file()] if path.is_dir() else [path]
        for file in files:
            assert (back / file.relative_to(path)).read_bytes() == file.read_bytes()


def test_a_second_machine_rolls_back_to_bytes_that_only_the_engine_has(harness: DockerHarness) -> None:
    first = harness.config("v1")
    server = harness.deployer().deploy_model(first, replace=True)
    write_model(Path(first.model_uri), "v2")
    harness.deployer().deploy_model(first, replace=True)
    shutil.rmtree(harness.deployer().state_dir / "models")
    back = harness.deployer().rollback(server.uuid)
    assert (back.digest, back.revision) == (server.digest, 3)
    assert harness.ask(server) == Reply(200, "v1", 3)


def test_bytes_that_nobody_has_any_more_are_told_as_gone(harness: DockerHarness) -> None:
    first = harness.config("v1")
    server = harness.deployer().deploy_model(first, replace=True)
    write_model(Path(first.model_uri), "v2")
    harness.deployer().deploy_model(first, replace=True)
    shutil.rmtree(harness.deployer().state_dir / "models")
    for volume in volumes(harness):
        if volume["Labels"][labels.DIGEST] == server.digest:
            harness.connection.api.remove_volume(volume["Name"])
    with pytest.raises(ModelGone, match="another model"):
        harness.deployer().rollback(server.uuid)


def test_reconcile_removes_what_no_record_names_and_nobody_uses_once_it_is_old(
    harness: DockerHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = harness.deployer().deploy_model(harness.config("v1"))
    api = harness.connection.api
    api.create_volume("spare", labels={labels.DIGEST: DIGEST})
    api.create_volume("theirs", labels={"another": "1"})
    try:
        harness.deployer().reconcile()
        assert "spare" in {volume["Name"] for volume in volumes(harness)}, "it is not a day old"
        harness.deployer().engine.collect_models({server.digest}, untouched_s=-1)
        assert [volume["Labels"][labels.DIGEST] for volume in volumes(harness)] == [server.digest]
        harness.deployer().engine.collect_models(set(), untouched_s=-1)
        assert len(volumes(harness)) == 1, "it is in use"
        assert "theirs" in {volume["Name"] for volume in api.volumes()["Volumes"]}
    finally:
        api.remove_volume("theirs")


def nowhere(digest: str) -> Path:
    raise StateDirectoryUnusable("it was asked for, though the engine has it")


def volumes(harness: DockerHarness) -> list[dict[str, Any]]:
    return harness.connection.api.volumes(filters={"label": [labels.DIGEST]}).get("Volumes") or []
