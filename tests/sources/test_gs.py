"""Models in Google Cloud Storage, from an emulator of its API."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from deployer.digest import digest_of
from deployer.errors import ModelNotFound
from deployer.store import Store
from tests.sources.conftest import BIN, content_of, left_in
from tests.sources.servers.programs import free_port, program

FILES = {"churn/MLmodel": b"m", "churn/code/load.py": b"c", "churn-2/MLmodel": b"n"}


@pytest.fixture
def bucket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    from gcsfs.core import GCSFileSystem

    port = free_port()
    command = [str(BIN / "gcp-storage-emulator"), "start", "--host", "127.0.0.1", "--port", str(port), "--in-memory"]
    with program([*command, "--default-bucket", "bucket"], port, tmp_path / "gs.log", dict(os.environ)) as address:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", address)
        system = GCSFileSystem(token="anon", skip_instance_cache=True)
        for key, content in FILES.items():
            system.pipe_file(f"bucket/{key}", content)
        yield


def test_all_objects_below_a_prefix_are_a_model(store: Store, bucket: None) -> None:
    digest = store.add("gs://bucket/churn")
    assert content_of(store, digest) == {"MLmodel": b"m", "code/load.py": b"c"}
    assert digest_of(store.path(digest)) == digest
    assert store.add("gs://bucket/churn") == digest
    assert left_in(store) == {digest}


def test_one_object_is_a_model_of_its_name(store: Store, bucket: None) -> None:
    assert content_of(store, store.add("gs://bucket/churn/code/load.py")) == {"load.py": b"c"}


@pytest.mark.parametrize("uri", ["gs://bucket/nothing", "gs://nobucket/churn"])
def test_what_is_not_there_is_not_found(uri: str, store: Store, bucket: None) -> None:
    with pytest.raises(ModelNotFound):
        store.add(uri)
    assert left_in(store) == set()
