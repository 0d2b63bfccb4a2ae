"""Models in Azure's blob storage, from a server that speaks its API."""

from collections.abc import Iterator

import pytest

from deployer.digest import digest_of
from deployer.errors import AccessDenied, ModelNotFound
from deployer.store import Store
from tests.sources.conftest import content_of, left_in
from tests.sources.servers.blobs import KEY, Blobs
from tests.sources.servers.web import serving

FILES = {"/churn/MLmodel": b"m", "/churn/code/load.py": b"c", "/churn-2/MLmodel": b"n"}


@pytest.fixture
def blobs(monkeypatch: pytest.MonkeyPatch) -> Iterator[Blobs]:
    with serving(Blobs(files=dict(FILES))) as blobs:
        assert isinstance(blobs, Blobs)
        monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", blobs.connection_string)
        yield blobs


def test_all_blobs_below_a_prefix_are_a_model(store: Store, blobs: Blobs) -> None:
    digest = store.add("az://models/churn")
    assert content_of(store, digest) == {"MLmodel": b"m", "code/load.py": b"c"}
    assert digest_of(store.path(digest)) == digest
    assert left_in(store) == {digest}
    read = len(blobs.gets)
    assert store.add("az://models/churn") == digest
    assert len(blobs.gets) == read


def test_one_blob_is_a_model_of_its_name(store: Store, blobs: Blobs) -> None:
    assert content_of(store, store.add("az://models/churn/code/load.py")) == {"load.py": b"c"}


@pytest.mark.parametrize("uri", ["az://models/nothing", "az://none/churn"])
def test_what_is_not_there_is_not_found(uri: str, store: Store, blobs: Blobs) -> None:
    with pytest.raises(ModelNotFound):
        store.add(uri)
    assert left_in(store) == set()


def test_credentials_that_do_not_suffice_are_named_and_not_shown(store: Store, blobs: Blobs) -> None:
    blobs.refuses = True
    with pytest.raises(AccessDenied) as denied:
        store.add("az://models/churn")
    assert "AZURE_STORAGE_CONNECTION_STRING" in denied.value.hint
    assert KEY not in str(denied.value)


def test_without_any_credentials_it_says_so(store: Store, blobs: Blobs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AZURE_STORAGE_CONNECTION_STRING")
    with pytest.raises(AccessDenied):
        store.add("az://models/churn")
