"""Who may call: tokens, asked for by a real Traefik."""

import base64
import re
import shutil
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest

from deployer.errors import EngineError, GatewayDown, InvalidConfig, PortTaken
from deployer.gateway import Backend, Route
from deployer.gateways import traefik
from deployer.gateways.traefik import TraefikGateway
from deployer.gateways.traefik_files import RouteFiles
from deployer.gateways.traefik_process import TraefikProcess
from deployer.gateways.traefik_settings import Address
from deployer.http import request

TOKEN, OTHER = "a-token-of-its-own-0123", "another-token-entirely-456"
Serve = Callable[..., Backend]
Make = Callable[..., TraefikGateway]


def status(url: str, token: str = "", user: str = "token") -> int:
    shown = {"Authorization": f"Basic {base64.b64encode(f'{user}:{token}'.encode()).decode()}"} if token else {}
    return request("GET", url, headers=shown, timeout_s=5).status


def route(gateway: TraefikGateway, server: str, *split: Backend) -> str:
    tag = gateway.write(server, split, 0, gateway.routes(server).get(server, Route()).tag)
    gateway.acknowledge(server, tag, 10)
    return gateway.url(server)


def await_status(wanted: int, url: str, token: str = "") -> None:
    until = time.monotonic() + 5
    while status(url, token) != wanted:
        assert time.monotonic() < until, f"{status(url, token)}, not {wanted}"
        time.sleep(0.02)


@pytest.fixture
def guarded(make_gateway: Make) -> TraefikGateway:
    gateway = make_gateway(token=lambda: TOKEN)
    gateway.ensure()
    return gateway


def test_only_who_shows_the_token_is_answered(guarded: TraefikGateway, serve: Serve) -> None:
    url = route(guarded, "churn", serve(1))
    assert [status(url), status(url, TOKEN), status(url, OTHER), status(url, TOKEN, user="root")] == [
        401,
        200,
        401,
        401,
    ]


def test_the_server_behind_never_sees_the_token(guarded: TraefikGateway, serve: Serve) -> None:
    url = route(guarded, "churn", serve(1))
    shown = {"Authorization": f"Basic {base64.b64encode(f'token:{TOKEN}'.encode()).decode()}"}
    assert b"authorization" not in request("GET", url, headers=shown, timeout_s=5).body.lower()


def test_a_server_may_have_a_token_of_its_own(guarded: TraefikGateway, serve: Serve) -> None:
    backend = serve(1)
    own = Backend(1, backend.address, access=guarded.entry_of(OTHER))
    url, common = route(guarded, "own", own), route(guarded, "common", backend)
    assert [status(url, OTHER), status(url, TOKEN), status(common, OTHER), status(common, TOKEN)] == [
        200,
        401,
        401,
        200,
    ]


def test_a_server_with_a_token_of_its_own_stands_beside_open_ones(gateway: TraefikGateway, serve: Serve) -> None:
    backend = serve(1)
    url = route(gateway, "own", Backend(1, backend.address, access=gateway.entry_of(OTHER)))
    assert [status(url), status(url, OTHER), status(route(gateway, "open", backend))] == [401, 200, 200]


def test_a_stopped_server_says_so_to_who_shows_the_token(guarded: TraefikGateway, serve: Serve) -> None:
    route(guarded, "churn", serve(1))
    assert status(route(guarded, "churn", Backend(1, "")), TOKEN) == 503


def test_a_token_given_later_guards_every_route_that_stands(make_gateway: Make, tmp_path: Path, serve: Serve) -> None:
    gateway = make_gateway(tmp_path / "one")
    gateway.ensure()
    url = route(gateway, "churn", serve(1))
    assert status(url) == 200
    make_gateway(tmp_path / "one", token=lambda: TOKEN).ensure()
    assert [status(url), status(url, TOKEN)] == [401, 200]


def test_it_guards_what_an_older_library_routed_too(make_gateway: Make, tmp_path: Path, serve: Serve) -> None:
    gateway = make_gateway(tmp_path / "one")
    gateway.ensure()
    url = route(gateway, "churn", serve(1))
    path = RouteFiles(tmp_path / "one").path("churn")
    path.write_text(re.sub(r'\s*"_access",', "", path.read_text()))
    make_gateway(tmp_path / "one", token=lambda: TOKEN).ensure()
    await_status(401, url)
    assert status(url, TOKEN) == 200


def test_who_knows_no_token_leaves_the_one_that_is_asked_for(
    make_gateway: Make, guarded: TraefikGateway, serve: Serve
) -> None:
    url = route(guarded, "churn", serve(1))
    make_gateway(guarded.folder).ensure()
    make_gateway(guarded.folder).write("other", (serve(2),), 2, "")
    assert [status(url), status(url, TOKEN)] == [401, 200]


def test_without_the_file_that_asks_nobody_is_let_in_until_somebody_says_who(
    make_gateway: Make, guarded: TraefikGateway, serve: Serve
) -> None:
    url = route(guarded, "churn", serve(1))
    (guarded.folder / "routes" / "_access.yml").unlink()
    await_status(404, url, TOKEN)
    make_gateway(guarded.folder).ensure()
    await_status(200, url)


def test_a_changed_token_is_asked_for_from_the_next_ensure_on(
    make_gateway: Make, guarded: TraefikGateway, serve: Serve
) -> None:
    url = route(guarded, "churn", serve(1))
    for token, gone in ((OTHER, TOKEN), (TOKEN, OTHER)) * 5:
        make_gateway(guarded.folder, token=partial(str, token)).ensure()
        assert [status(url, token), status(url, gone)] == [200, 401], "ensure returned before the proxy went by it"


def test_no_request_is_dropped_while_tokens_change(make_gateway: Make, guarded: TraefikGateway, serve: Serve) -> None:
    url, over = route(guarded, "churn", serve(1)), threading.Event()

    def call() -> Counter[frozenset[int]]:
        seen: Counter[frozenset[int]] = Counter()
        while not over.is_set():
            seen[frozenset((status(url, TOKEN), status(url, OTHER)))] += 1
        return seen

    with ThreadPoolExecutor(4) as callers:
        calls = [callers.submit(call) for _ in range(4)]
        for token in (OTHER, TOKEN) * 10:
            make_gateway(guarded.folder, token=partial(str, token)).ensure()
        over.set()
        seen = sum((one.result(60) for one in calls), Counter())
    assert seen.keys() <= {frozenset({200, 401}), frozenset({200}), frozenset({401})}, seen
    assert seen[frozenset({200, 401})] > len(calls)


def test_who_waited_while_another_started_the_gateway_has_it_ask_for_the_token(
    make_gateway: Make, tmp_path: Path, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_one, guarding = make_gateway(tmp_path / "one"), make_gateway(tmp_path / "one", token=lambda: TOKEN)
    answers = TraefikProcess.answers

    def started_meanwhile(proxy: TraefikProcess) -> bool:
        monkeypatch.setattr(TraefikProcess, "answers", answers)
        open_one.ensure()
        return False

    monkeypatch.setattr(TraefikProcess, "answers", started_meanwhile)
    (tmp_path / "one" / "routes").mkdir(parents=True)
    (tmp_path / "one" / "routes" / "_certificate.yml").touch()
    guarding.ensure()
    url = route(guarding, "churn", serve(1))
    assert [status(url), status(url, TOKEN)] == [401, 200]


def test_a_file_that_would_keep_a_token_from_being_asked_for_is_set_aside(
    make_gateway: Make, guarded: TraefikGateway, serve: Serve
) -> None:
    url = route(guarded, "churn", serve(1))
    (guarded.folder / "routes" / "mine.yml").write_text("http: [this is: no route\n")
    make_gateway(guarded.folder, token=lambda: OTHER).ensure()
    assert [status(url, TOKEN), status(url, OTHER)] == [401, 200]


def test_a_token_that_the_proxy_does_not_take_up_is_told(
    make_gateway: Make, guarded: TraefikGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(traefik, "START_S", 0.5)
    monkeypatch.setattr(RouteFiles, "tidy", lambda _: None)
    (guarded.folder / "routes" / "mine.yml").write_text("http: [this is: no route\n")
    with pytest.raises(GatewayDown, match=r"mine\.yml is not as the gateway writes it") as caught:
        make_gateway(guarded.folder, token=lambda: OTHER).ensure()
    assert "asks for what it asked for before" in caught.value.serving


@pytest.fixture
def lost(make_gateway: Make, serve: Serve) -> tuple[TraefikGateway, str]:
    """A gateway that serves other machines, and has lost the file that asks for the token; a URL of it."""
    gateway = make_gateway(bind="0.0.0.0", token=lambda: TOKEN, url_host="127.0.0.1")
    gateway.ensure()
    url = route(gateway, "churn", serve(1))
    assert status(url) == 401
    (gateway.folder / "routes" / "_access.yml").unlink()
    await_status(404, url)
    return gateway, url


def statuses_during(url: str, meanwhile: Callable[[], object]) -> Counter[int]:
    """What who shows no token was answered from before that until well after the proxy has seen what it wrote."""
    seen, over = Counter[int](), threading.Event()

    def call() -> None:
        while not over.is_set():
            seen[status(url)] += 1

    caller = threading.Thread(target=call)
    caller.start()
    try:
        meanwhile()
        asked = seen.total()
        until = time.monotonic() + 5
        while seen.total() < asked + 200 and time.monotonic() < until:
            time.sleep(0.01)
    finally:
        over.set()
        caller.join()
    return seen


def test_where_the_file_that_asks_for_a_token_is_lost_who_knows_none_lets_nobody_in(
    make_gateway: Make, lost: tuple[TraefikGateway, str], serve: Serve
) -> None:
    url, other = lost[1], make_gateway(lost[0].folder)

    def all_that_it_can() -> None:
        with pytest.raises(InvalidConfig, match="Without a token"):
            other.ensure()
        other.write("churn", (serve(2),), 2, other.routes("churn")["churn"].tag)
        other.remove("another", other.write("another", (serve(3),), 3, ""))

    assert statuses_during(url, all_that_it_can).keys() == {404}
    assert status(url, TOKEN) == 404


def test_who_knows_the_token_has_it_asked_for_again_and_lets_nobody_in_before(lost: tuple[TraefikGateway, str]) -> None:
    gateway, url = lost
    assert statuses_during(url, gateway.ensure).keys() == {404, 401}
    assert status(url, TOKEN) == 200


@pytest.mark.parametrize("gone", ["routes", "routes/_access.yml"])
def test_one_that_ended_and_lost_what_asks_for_the_token_is_not_started_by_who_knows_none(
    make_gateway: Make, lost: tuple[TraefikGateway, str], gone: str
) -> None:
    gateway, _ = lost
    gateway.shutdown()
    if gone == "routes":
        shutil.rmtree(gateway.folder / "routes")
    with pytest.raises(InvalidConfig, match="Without a token"):
        make_gateway(gateway.folder).ensure()
    assert not gateway.answers() and not (gateway.folder / "routes" / "_access.yml").exists()
    gateway.ensure()


def test_a_guard_of_somebodys_own_making_is_left_as_it_is(make_gateway: Make, guarded: TraefikGateway) -> None:
    path = guarded.folder / "routes" / "_access.yml"
    path.write_text(theirs := "http:\n  middlewares:\n    _access:\n      ipAllowList: {sourceRange: [192.0.2.1]}\n")
    make_gateway(guarded.folder).ensure()
    assert path.read_text() == theirs


def test_no_file_and_no_answer_of_the_proxy_holds_a_token(guarded: TraefikGateway, serve: Serve) -> None:
    backend = serve(1)
    route(guarded, "churn", Backend(1, backend.address, access=guarded.entry_of(OTHER)))
    files = [path.read_bytes() for path in guarded.folder.rglob("*") if path.is_file()]
    address = guarded._proxy.address
    assert address
    files.append(request("GET", f"http://127.0.0.1:{address.admin}/api/rawdata", timeout_s=5).body)
    assert [token for token in (TOKEN, OTHER) for text in files if token.encode() in text] == []


@pytest.mark.parametrize("bad", ["short", "with a blank in it, and long", "ünïcödé-tökén-of-length", ""])
def test_a_token_that_will_not_do_is_refused_and_not_shown(make_gateway: Make, bad: str) -> None:
    with pytest.raises(InvalidConfig, match="at least 16") as caught:
        make_gateway(token=lambda: bad).ensure()
    assert not bad or bad not in str(caught.value)


def test_other_machines_are_served_only_with_a_token(make_gateway: Make) -> None:
    with pytest.raises(InvalidConfig, match="Without a token"):
        make_gateway(bind="0.0.0.0").ensure()


def test_with_one_every_address_answers_and_the_admin_api_stays_on_loopback(make_gateway: Make, serve: Serve) -> None:
    gateway = make_gateway(bind="0.0.0.0", token=lambda: TOKEN, url_host="127.0.0.2")
    gateway.ensure()
    url = route(gateway, "churn", serve(1))
    assert url.startswith("http://127.0.0.2:") and [status(url), status(url, TOKEN)] == [401, 200]
    address = gateway._proxy.address
    assert address
    with pytest.raises(Exception, match="refused"):
        request("GET", f"http://127.0.0.2:{address.admin}/api/overview", timeout_s=5)


def test_where_it_serves_is_remembered_for_who_does_not_say(make_gateway: Make, serve: Serve) -> None:
    gateway = make_gateway(bind="127.0.0.3")
    gateway.ensure()
    again = make_gateway(gateway.folder)
    again.ensure()
    assert again.url("churn") == gateway.url("churn") and "127.0.0.3" in again.url("churn")


def test_the_host_of_urls_changes_while_it_runs_and_is_remembered_for_who_does_not_say(
    gateway: TraefikGateway, make_gateway: Make
) -> None:
    named = make_gateway(gateway.folder, url_host="models.example.org")
    assert named.url("churn").startswith("http://models.example.org:")
    named.ensure()
    assert make_gateway(gateway.folder).url("churn") == named.url("churn")


def test_an_address_that_the_machine_lacks_is_named(make_gateway: Make) -> None:
    with pytest.raises(EngineError, match=r"192\.0\.2\.77") as caught:
        make_gateway(bind="192.0.2.77", token=lambda: TOKEN).ensure()
    assert "bind" in caught.value.hint


def test_a_port_that_somebody_has_on_another_address_is_free_on_this_one(make_gateway: Make) -> None:
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        port = stranger.getsockname()[1]
        gateway = make_gateway(port=port, bind="127.0.0.3")
        gateway.ensure()
        assert gateway.url("churn") == f"http://127.0.0.3:{port}/churn"
        with pytest.raises(PortTaken, match=rf"{port} of 0\.0\.0\.0"):
            make_gateway(port=port, bind="0.0.0.0", token=lambda: TOKEN).ensure()


@pytest.mark.parametrize(
    ("address", "served", "url"),
    [
        (Address(8400, 1), "127.0.0.1:8400", "http://127.0.0.1:8400"),
        (Address(8400, 1, "::1", secure=True), "[::1]:8400", "https://[::1]:8400"),
        (Address(8400, 1, "0.0.0.0", host="models.example.org"), "0.0.0.0:8400", "http://models.example.org:8400"),
        (Address(8400, 1, "::"), "[::]:8400", f"http://{socket.gethostname()}:8400"),
    ],
)
def test_urls_name_the_address_or_the_host_that_stands_for_it(address: Address, served: str, url: str) -> None:
    assert (address.served, address.url) == (served, url)
