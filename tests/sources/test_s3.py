"""Models in S3, from a real S3 API."""

import sys
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from deployer.digest import digest_of
from deployer.errors import AccessDenied, ModelChanged, ModelNotFound, SourceUnavailable, Unsupported
from deployer.sources import filesystems, s3
from deployer.sources.fetching import Terms
from deployer.sources.remote import RemoteFile
from deployer.sources.s3 import look
from deployer.sources.watch import Watch
from deployer.store import Store
from tests.sources.conftest import S3, content_of, impatient, left_in
from tests.sources.servers.programs import SECRET
from tests.sources.test_web import tar_gz

LARGE = bytes(range(256)) * 80_000


def test_all_objects_below_a_prefix_are_a_model(store: Store, s3: S3) -> None:
    s3.put({"bucket/churn/MLmodel": b"m", "bucket/churn/code/load.py": b"c", "bucket/churn-2/MLmodel": b"n"})
    digest = store.add("s3://bucket/churn")
    assert content_of(store, digest) == {"MLmodel": b"m", "code/load.py": b"c"}
    assert digest_of(store.path(digest)) == digest
    assert left_in(store) == {digest}


def test_one_object_is_a_model_of_its_name_and_large_ones_come_in_pieces(store: Store, s3: S3) -> None:
    s3.put({"bucket/churn/w.bin": LARGE, "bucket/churn/w.bin.sig": b"s"})
    digest = store.add("s3://bucket/churn/w.bin")
    assert content_of(store, digest) == {"w.bin": LARGE}
    assert digest_of(store.path(digest)) == digest


def test_an_archive_is_unpacked(store: Store, s3: S3) -> None:
    s3.put({"bucket/model.tar.gz": tar_gz({"MLmodel": b"m", "code/load.py": b"c"})})
    assert content_of(store, store.add("s3://bucket/model.tar.gz")) == {"MLmodel": b"m", "code/load.py": b"c"}


def test_a_second_deploy_fetches_nothing_until_an_object_changes(
    store: Store, s3: S3, monkeypatch: pytest.MonkeyPatch
) -> None:
    s3.put({"bucket/churn/MLmodel": b"m"})
    first = store.add("s3://bucket/churn")
    work, fetched = store._partials.work, list[str]()

    def noted(uri: str, version: str) -> AbstractContextManager[Path]:
        fetched.append(uri)
        return work(uri, version)

    monkeypatch.setattr(store._partials, "work", noted)
    assert store.add("s3://bucket/churn") == first
    assert fetched == []
    s3.put({"bucket/churn/MLmodel": b"n"})
    assert content_of(store, store.add("s3://bucket/churn")) == {"MLmodel": b"n"}
    assert fetched == ["s3://bucket/churn"]


def test_what_is_changed_under_way_is_told(s3: S3, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    s3.put({"bucket/churn/MLmodel": b"m", "bucket/churn/w.bin": b"w"})
    model = look("s3://bucket/churn")
    read = model._read

    def changed_after(file: RemoteFile, start: int, end: int) -> bytes:
        content = read(file, start, end)
        s3.put({"bucket/churn/MLmodel": b"n"})
        return content

    monkeypatch.setattr(model, "_read", changed_after)
    with pytest.raises(ModelChanged, match="while it was fetched"):
        model.bring(tmp_path / "work", Watch())


@pytest.mark.parametrize("uri", ["s3://bucket/none", "s3://none/churn", "s3://bucket/chur"])
def test_what_is_not_there_is_not_found(uri: str, store: Store, s3: S3) -> None:
    s3.put({"bucket/churn/MLmodel": b"m"})
    with pytest.raises(ModelNotFound) as missing:
        store.add(uri)
    assert uri in missing.value.what
    assert left_in(store) == set()


def test_wrong_credentials_are_named_and_not_shown(store: Store, s3: S3, monkeypatch: pytest.MonkeyPatch) -> None:
    s3.put({"bucket/churn/MLmodel": b"m"})
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "a-wrong-secret")
    with pytest.raises(AccessDenied) as denied:
        store.add("s3://bucket/churn")
    assert "AWS_SECRET_ACCESS_KEY" in denied.value.hint
    assert "a-wrong-secret" not in str(denied.value)


def test_no_credentials_are_told_as_well(store: Store, s3: S3, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(AccessDenied, match="may not be read"):
        store.add("s3://bucket/churn", impatient(30))


def test_credentials_may_come_by_reference(
    store: Store, s3: S3, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    s3.put({"bucket/churn/MLmodel": b"m"})
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    (tmp_path / "secret").write_text(f"{SECRET}\n")
    assert store.has(store.add("s3://bucket/churn", Terms({"AWS_SECRET_ACCESS_KEY": f"file:{tmp_path}/secret"})))


def test_a_server_that_is_not_there_is_told(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "x")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(SourceUnavailable, match=r"cannot be reached|nothing came"):
        store.add("s3://bucket/churn", impatient(20))


def test_a_missing_package_is_named_with_the_command_that_brings_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "s3fs", None)
    with pytest.raises(Unsupported, match="s3fs") as unsupported:
        filesystems.ObjectsModel("s3://bucket/churn", s3.KIND)
    assert "pip install 'prefect-model-deployer[s3]'" in unsupported.value.hint
