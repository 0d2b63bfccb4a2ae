"""Models behind http, from a real server that fails in every way a server can."""

import hashlib
import io
import os
import socket
import tarfile
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from deployer.digest import digest_of
from deployer.errors import (
    AccessDenied,
    InvalidModel,
    ModelChanged,
    ModelNotFound,
    RolloutTimeout,
    SourceUnavailable,
    StateDirectoryUnusable,
)
from deployer.sources.fetching import Terms
from deployer.store import Store
from tests.sources.conftest import content_of, impatient, left_in
from tests.sources.servers.web import Handler, Web, answers, breaks_off_after, hangs

LARGE = bytes(range(256)) * 12_000


def tar_gz(files: dict[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return packed.getvalue()


def test_one_file_is_a_model_of_that_name(store: Store, web: Web) -> None:
    web.files["/models/weights.bin"] = b"w"
    digest = store.add(f"{web.address}/models/weights.bin")
    assert content_of(store, digest) == {"weights.bin": b"w"}
    assert digest_of(store.path(digest)) == digest
    assert left_in(store) == {digest}


def test_an_archive_is_unpacked(store: Store, web: Web) -> None:
    web.files["/churn.tar.gz"] = tar_gz({"MLmodel": b"m", "code/load.py": b"c"})
    digest = store.add(f"{web.address}/churn.tar.gz?v=2")
    assert content_of(store, digest) == {"MLmodel": b"m", "code/load.py": b"c"}
    assert digest_of(store.path(digest)) == digest


def test_the_name_that_the_answer_gives_counts_and_leads_nowhere_else(store: Store, web: Web) -> None:
    web.files["/download"] = b"w"
    web.headers["Content-Disposition"] = 'attachment; filename="../../weights.bin"'
    assert content_of(store, store.add(f"{web.address}/download")) == {"weights.bin": b"w"}


def test_a_second_deploy_of_what_is_here_fetches_nothing(store: Store, web: Web) -> None:
    web.files["/w.bin"] = b"w"
    first = store.add(f"{web.address}/w.bin")
    assert store.add(f"{web.address}/w.bin") == first
    assert len(web.gets) == 1


def test_what_was_changed_is_fetched_again(store: Store, web: Web) -> None:
    web.files["/w.bin"] = b"w"
    first = store.add(f"{web.address}/w.bin")
    web.files["/w.bin"] = b"new"
    assert content_of(store, store.add(f"{web.address}/w.bin")) == {"w.bin": b"new"}
    assert store.has(first)


def test_what_is_remembered_and_was_collected_is_fetched_again(store: Store, web: Web) -> None:
    web.files["/w.bin"] = b"w"
    first = store.add(f"{web.address}/w.bin")
    assert store.collect(set(), untouched_s=0) == {first}
    assert store.add(f"{web.address}/w.bin") == first
    assert store.has(first)


@pytest.mark.parametrize(("tagged", "weak"), [(False, False), (True, True)])
def test_without_an_etag_of_its_bytes_it_is_fetched_each_time(tagged: bool, weak: bool, store: Store, web: Web) -> None:
    web.files["/w.bin"], web.tagged, web.weak = b"w", tagged, weak
    store.add(f"{web.address}/w.bin")
    store.add(f"{web.address}/w.bin")
    assert len(web.gets) == 2


def test_a_server_that_knows_no_head_is_asked_otherwise(
    store: Store, web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Handler, "do_HEAD", lambda handler: handler.say(405))
    web.files["/w.bin"] = b"w"
    assert content_of(store, store.add(f"{web.address}/w.bin")) == {"w.bin": b"w"}


@pytest.mark.parametrize("silent", ["do_HEAD", "do_GET"])
def test_a_size_that_only_one_answer_tells_is_no_change(
    silent: str, store: Store, web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    def without_size(handler: Handler) -> None:
        handler.say(200, {"ETag": handler.tag(), "Connection": "close"})
        if silent == "do_GET":
            handler.wfile.write(LARGE)

    monkeypatch.setattr(Handler, silent, without_size)
    web.files["/w.bin"] = LARGE
    assert content_of(store, store.add(f"{web.address}/w.bin")) == {"w.bin": LARGE}


def test_what_breaks_off_is_taken_up_again_where_it_was(store: Store, web: Web) -> None:
    web.files["/w.bin"] = LARGE
    web.faults.extend([breaks_off_after(1_000_000), breaks_off_after(500_000)])
    digest = store.add(f"{web.address}/w.bin")
    assert store.path(digest).read_bytes() == LARGE
    assert web.gets == ["", "bytes=1000000-", "bytes=1500000-"]


def test_the_next_attempt_of_a_deploy_goes_on_where_the_last_one_failed(store: Store, web: Web) -> None:
    web.files["/w.bin"] = LARGE
    web.faults.extend([breaks_off_after(1_000_000), *[answers(503)] * 4])
    with pytest.raises(SourceUnavailable, match="503") as failed:
        store.add(f"{web.address}/w.bin")
    assert "serves on" in failed.value.serving
    digest = store.add(f"{web.address}/w.bin")
    assert store.path(digest).read_bytes() == LARGE
    assert digest_of(store.path(digest)) == digest
    assert web.gets[-1] == "bytes=1000000-"
    assert left_in(store) == {digest}


def test_what_changed_between_two_attempts_is_begun_anew(store: Store, web: Web) -> None:
    web.files["/w.bin"] = LARGE
    web.faults.extend([breaks_off_after(1_000_000), *[answers(503)] * 4])
    with pytest.raises(SourceUnavailable):
        store.add(f"{web.address}/w.bin")
    web.files["/w.bin"] = new = LARGE[::-1]
    assert store.path(store.add(f"{web.address}/w.bin")).read_bytes() == new


def test_a_server_without_ranges_is_read_from_the_start_again(store: Store, web: Web) -> None:
    web.files["/w.bin"], web.ranges = LARGE, False
    web.faults.append(breaks_off_after(1_000_000))
    assert store.path(store.add(f"{web.address}/w.bin")).read_bytes() == LARGE


def test_what_is_changed_under_way_is_told_and_leaves_nothing(store: Store, web: Web) -> None:
    web.files["/w.bin"] = LARGE

    def change_it(handler: Handler) -> bool:
        web.files["/w.bin"] = LARGE[::-1]
        return True

    web.faults.extend([breaks_off_after(1_000_000), change_it])
    with pytest.raises(ModelChanged, match="while it was fetched"):
        store.add(f"{web.address}/w.bin")
    assert left_in(store) == set()


def test_a_checksum_that_fits_is_taken_and_pins_the_model(store: Store, web: Web) -> None:
    web.files["/w.bin"], web.tagged = b"w", False
    uri = f"{web.address}/w.bin#sha256={hashlib.sha256(b'w').hexdigest()}"
    first = store.add(uri)
    assert store.add(uri) == first
    assert len(web.gets) == 1


def test_a_checksum_that_does_not_fit_leaves_nothing(store: Store, web: Web) -> None:
    web.files["/w.bin"] = b"w"
    with pytest.raises(ModelChanged, match="sha256"):
        store.add(f"{web.address}/w.bin#sha256={'0' * 64}")
    assert left_in(store) == set()


@pytest.mark.parametrize(("status", "error"), [(404, ModelNotFound), (403, AccessDenied), (418, InvalidModel)])
def test_an_answer_that_is_final_is_not_asked_for_again(
    status: int, error: type[Exception], store: Store, web: Web
) -> None:
    web.files["/w.bin"] = b"w"
    web.faults.append(answers(status))
    with pytest.raises(error):
        store.add(f"{web.address}/w.bin")
    assert len(web.gets) == 1
    assert left_in(store) == set()


def test_the_want_of_credentials_is_told_with_where_to_set_them(store: Store, web: Web) -> None:
    web.files["/w.bin"], web.token = b"w", "a-secret-token"
    with pytest.raises(AccessDenied, match="401") as denied:
        store.add(f"{web.address}/w.bin")
    assert "MODEL_DEPLOYER_HTTP_AUTHORIZATION" in denied.value.hint
    assert "netrc" in denied.value.hint


def test_credentials_by_reference_reach_the_server_and_no_error(
    store: Store, web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    web.files["/w.bin"], web.token = b"w", "a-secret-token"
    monkeypatch.setenv("MINE", "Bearer a-secret-token")
    terms = Terms({"MODEL_DEPLOYER_HTTP_AUTHORIZATION": "env:MINE"})
    assert store.has(store.add(f"{web.address}/w.bin", terms))
    monkeypatch.setenv("MINE", "Bearer another-secret")
    with pytest.raises(AccessDenied) as denied:
        store.add(f"{web.address}/w.bin", terms)
    assert "another-secret" not in str(denied.value)


def test_a_host_that_refuses_is_told_within_a_few_tries(store: Store) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        with pytest.raises(SourceUnavailable, match="cannot be reached") as failed:
            store.add(f"http://127.0.0.1:{listener.getsockname()[1]}/w.bin")
    assert failed.value.hint
    assert left_in(store) == set()


def test_a_host_that_says_nothing_is_given_up(store: Store) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        with pytest.raises(SourceUnavailable, match="nothing came for 1 s"):
            store.add(f"http://127.0.0.1:{listener.getsockname()[1]}/w.bin", impatient(1))


def test_the_deadline_of_a_deploy_holds_while_it_is_fetched(store: Store, web: Web) -> None:
    web.files["/w.bin"] = LARGE
    web.faults.append(hangs(5))
    began = time.monotonic()
    with pytest.raises(RolloutTimeout, match="not fetched in the time"):
        store.add(f"{web.address}/w.bin", impatient(60, until=began + 2))
    assert time.monotonic() - began < 4


def test_a_model_larger_than_the_disk_is_not_even_asked_for(
    store: Store, web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    def promise(handler: Handler) -> None:
        handler.say(200, {"Content-Length": str(1 << 60), "ETag": '"t"'})

    monkeypatch.setattr(Handler, "do_HEAD", promise)
    with pytest.raises(StateDirectoryUnusable, match="free") as refused:
        store.add(f"{web.address}/w.bin")
    assert "Free some space" in refused.value.hint
    assert web.gets == []
    assert left_in(store) == set()


def test_what_was_begun_is_collected_after_a_day(store: Store, web: Web) -> None:
    web.files["/w.bin"] = LARGE
    web.faults.extend([breaks_off_after(1_000_000), *[answers(503)] * 4])
    with pytest.raises(SourceUnavailable):
        store.add(f"{web.address}/w.bin")
    (begun,) = left_in(store)
    store.collect(set())
    assert left_in(store) == {begun}
    day_ago = time.time() - 25 * 3600
    os.utime(store.root / begun, (day_ago, day_ago))
    store.collect(set())
    assert left_in(store) == set()


def test_how_far_it_is_is_told_on_the_way(store: Store, web: Web) -> None:
    web.files["/w.bin"] = LARGE
    told: list[tuple[int, int | None]] = []

    def slowly(handler: Handler) -> bool:
        handler.say(200, {"Content-Length": str(len(LARGE)), "ETag": handler.tag()})
        for start in range(0, len(LARGE), 1_000_000):
            handler.wfile.write(LARGE[start : start + 1_000_000])
            time.sleep(0.4)
        return False

    web.faults.append(slowly)
    store.add(f"{web.address}/w.bin", Terms(on_bytes=lambda done, total: told.append((done, total))))
    assert told
    assert all(0 < done <= len(LARGE) and total == len(LARGE) for done, total in told)


def test_many_may_fetch_the_same_at_once(store: Store, web: Web) -> None:
    web.files["/w.bin"] = LARGE
    with ThreadPoolExecutor(4) as pool:
        digests = set(pool.map(store.add, [f"{web.address}/w.bin"] * 4))
    assert left_in(store) == digests
    assert len(digests) == 1
