"""Models on a hub, from a server that speaks its API."""

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from deployer.digest import digest_of
from deployer.errors import AccessDenied, InvalidConfig, ModelChanged, ModelNotFound, SourceUnavailable
from deployer.store import Store
from tests.sources.conftest import content_of, impatient, left_in
from tests.sources.servers.hub import Hub
from tests.sources.servers.web import answers, serving

LARGE = bytes(range(256)) * 50_000


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    files = {"/config.json": b"{}", "/model.bin": LARGE, "/onnx/model.onnx": b"o", "/.gitattributes": b"a"}
    hub = Hub(files=files, large={"model.bin"})
    with serving(hub):
        monkeypatch.setenv("HF_ENDPOINT", hub.address)
        yield hub


@pytest.mark.parametrize("uri", ["hf://owner/churn", "hf://owner/churn@main", "hf://owner/churn@v1/"])
def test_a_repository_is_a_model(uri: str, store: Store, hub: Hub) -> None:
    digest = store.add(uri)
    assert content_of(store, digest) == {"config.json": b"{}", "model.bin": LARGE, "onnx/model.onnx": b"o"}
    assert digest_of(store.path(digest)) == digest
    assert left_in(store) == {digest}


@pytest.mark.parametrize("uri", ["hf://owner/churn/onnx", "hf://owner/churn@v1/onnx"])
def test_a_folder_of_it_is_one_too(uri: str, store: Store, hub: Hub) -> None:
    assert content_of(store, store.add(uri)) == {"model.onnx": b"o"}


def test_a_file_of_it_is_a_model_of_its_name(store: Store, hub: Hub) -> None:
    digest = store.add("hf://owner/churn/model.bin")
    assert store.path(digest).is_file()
    assert content_of(store, digest) == {"model.bin": LARGE}


def test_a_commit_that_is_here_is_not_fetched_again(store: Store, hub: Hub) -> None:
    first = store.add("hf://owner/churn")
    fetched = len(hub.gets)
    assert store.add("hf://owner/churn") == first
    assert len(hub.gets) == fetched
    hub.commit = hub.commit[::-1]
    hub.files["/config.json"] = b"[]"
    assert content_of(store, store.add("hf://owner/churn"))["config.json"] == b"[]"


def test_a_slow_line_is_not_silent(store: Store, hub: Hub) -> None:
    hub.bytes_per_s = 400_000
    hub.files["/model.bin"] = LARGE[:4_000_000]
    told: list[int] = []
    terms = impatient(4, on_bytes=lambda done, total: told.append(done))
    assert content_of(store, store.add("hf://owner/churn", terms))["model.bin"] == LARGE[:4_000_000]
    assert len({done for done in told if done > 0}) > 1


def test_a_hub_without_ranges_is_read_all_the_same(store: Store, hub: Hub) -> None:
    hub.ranges, hub.files["/model.bin"] = False, (content := random.Random(1).randbytes(3_000_000))
    assert content_of(store, store.add("hf://owner/churn"))["model.bin"] == content


@pytest.mark.parametrize("name", ["model.bin", "config.json"])
def test_what_is_not_what_the_hub_says_is_refused(name: str, store: Store, hub: Hub) -> None:
    about = hub.about()
    hub.about = lambda: about  # type: ignore[method-assign]
    hub.files[f"/{name}"] = hub.files[f"/{name}"][::-1]
    with pytest.raises(ModelChanged, match=name):
        store.add("hf://owner/churn")
    assert left_in(store) == set()


@pytest.mark.parametrize("uri", ["hf://owner/nobody", "hf://owner/churn@v9", "hf://owner/churn/nothing"])
def test_what_is_not_there_is_not_found(uri: str, store: Store, hub: Hub) -> None:
    with pytest.raises(ModelNotFound):
        store.add(uri)


def test_a_token_is_asked_for_and_sent(store: Store, hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.token = "hf_a-secret-token"
    with pytest.raises(AccessDenied) as denied:
        store.add("hf://owner/churn")
    assert "HF_TOKEN" in denied.value.hint
    monkeypatch.setenv("HF_TOKEN", "hf_a-secret-token")
    assert store.has(store.add("hf://owner/churn"))


def test_credentials_for_web_servers_do_not_reach_a_hub(
    store: Store, hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login me password a-secret-of-netrc")
    for variable, value in {
        "NETRC": str(tmp_path / "netrc"),
        "MODEL_DEPLOYER_HTTP_AUTHORIZATION": "Bearer a-secret-of-the-web",
    }.items():
        with monkeypatch.context() as patch:
            patch.setenv(variable, value)
            hub.commit = hub.commit[::-1]
            assert store.has(store.add("hf://owner/churn"))
    assert hub.gets
    assert [headers["Authorization"] for _, _, headers in hub.asked if "Authorization" in headers] == []


def test_a_hub_that_fails_for_a_moment_is_asked_again(store: Store, hub: Hub) -> None:
    hub.faults.extend([answers(503), answers(502)])
    assert store.has(store.add("hf://owner/churn"))


def test_a_hub_that_is_not_there_is_told(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(SourceUnavailable):
        store.add("hf://owner/churn", impatient(30))


def test_a_uri_without_owner_and_name_says_how_to_write_it(store: Store) -> None:
    with pytest.raises(InvalidConfig, match="no model on the hub") as refused:
        store.add("hf://churn")
    assert "hf://owner/name" in refused.value.hint
