"""The gateway on a real Traefik: routes, and what users get by them."""

import http.client
import json
import re
import resource
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from deployer.errors import GatewayDown, RouteMoved, StateDirectoryUnusable
from deployer.gateway import Backend, Route
from deployer.gateways import traefik
from deployer.gateways.traefik import TraefikGateway
from deployer.http import Answer, request

AT_ONCE_S = 4.0
Serve = Callable[..., Backend]


def get(url: str) -> Answer:
    return request("GET", url, timeout_s=5)


def revision_at(url: str) -> int:
    return int(json.loads(get(url).body)["revision"])


def route(gateway: TraefikGateway, server: str, *split: Backend, high: int = 0, seen: str | None = None) -> str:
    """Write on top of what stands, and wait for the acknowledgement."""
    seen = gateway.routes(server).get(server, Route()).tag if seen is None else seen
    tag = gateway.write(server, split, high, seen)
    gateway.acknowledge(server, tag, 10)
    return tag


def test_a_route_reads_back_from_another_deployer(gateway: TraefikGateway, tmp_path: Path, serve: Serve) -> None:
    backend = serve(1)
    tag = gateway.write("churn", (backend,), 4, "")
    assert TraefikGateway(tmp_path / "gateway-0").routes() == {"churn": Route((backend,), 4, tag)}


def test_from_the_acknowledgement_on_every_answer_is_the_new_revisions(gateway: TraefikGateway, serve: Serve) -> None:
    backends = [serve(revision) for revision in range(1, 9)]
    kept_alive = http.client.HTTPConnection(gateway.url("churn").split("/")[2], timeout=5)
    for backend in backends:
        route(gateway, "churn", backend)
        kept_alive.request("GET", "/churn/ping")
        told = [json.loads(kept_alive.getresponse().read())["revision"], revision_at(gateway.url("churn"))]
        assert told == [backend.revision, backend.revision]
    kept_alive.close()


def test_the_server_sees_paths_without_its_name(gateway: TraefikGateway, serve: Serve) -> None:
    route(gateway, "churn", serve(1))
    asked = ["/invocations", "/v2/models/a/infer?x=1", "/", ""]
    seen = [json.loads(get(gateway.url("churn") + path).body)["path"] for path in asked]
    assert seen == ["/invocations", "/v2/models/a/infer?x=1", "/", "/"]


def test_a_server_catches_nothing_of_one_whose_name_begins_alike(gateway: TraefikGateway, serve: Serve) -> None:
    route(gateway, "churn", serve(1))
    assert get(gateway.url("churn-2") + "/ping").status == 404
    route(gateway, "churn-2", serve(2))
    urls = [gateway.url(server) + path for server in ("churn", "churn-2") for path in ("", "/", "/ping")]
    assert [revision_at(url) for url in urls] == [1, 1, 1, 2, 2, 2]


def test_the_gateway_stamps_answers_where_the_server_does_not(gateway: TraefikGateway, serve: Serve) -> None:
    route(gateway, "silent", serve(3))
    route(gateway, "speaking", serve(4, stamps=True))
    stamps = [get(gateway.url(server)).headers["model-server-revision"] for server in ("silent", "speaking")]
    assert stamps == ["3", "4, its own"]


def test_several_backends_share_the_requests_by_weight(gateway: TraefikGateway, serve: Serve) -> None:
    old, new = serve(1), serve(2)
    route(gateway, "churn", Backend(1, old.address, weight=3), Backend(2, new.address, weight=1))
    answers = [revision_at(gateway.url("churn")) for _ in range(8)]
    assert (answers.count(1), answers.count(2)) == (6, 2)


def test_a_stopped_server_answers_503_at_once_and_disturbs_no_other(gateway: TraefikGateway, serve: Serve) -> None:
    route(gateway, "churn", serve(1))
    route(gateway, "churn", Backend(1, ""))
    route(gateway, "other", serve(2))
    began = time.monotonic()
    assert get(gateway.url("churn") + "/ping").status == 503
    assert time.monotonic() - began < AT_ONCE_S
    assert revision_at(gateway.url("other")) == 2


def test_a_server_whose_revisions_were_all_refused_answers_503(gateway: TraefikGateway, serve: Serve) -> None:
    tag = route(gateway, "churn", high=1)
    assert get(gateway.url("churn")).status == 503
    with pytest.raises(RouteMoved, match="closed"):
        gateway.write("churn", (serve(1),), 1, tag)


def test_a_removed_route_is_gone_for_users_too(gateway: TraefikGateway, serve: Serve) -> None:
    tag = route(gateway, "churn", serve(1))
    with pytest.raises(RouteMoved):
        gateway.remove("churn", "another")
    gateway.remove("churn", tag)
    assert gateway.routes() == {}
    until = time.monotonic() + 5
    while get(gateway.url("churn")).status != 404:
        assert time.monotonic() < until
        time.sleep(0.02)


def test_a_closed_revision_may_not_enter(gateway: TraefikGateway, serve: Serve) -> None:
    first = serve(1)
    route(gateway, "churn", first)
    tag = route(gateway, "churn", serve(2))
    with pytest.raises(RouteMoved, match="revision 1 of churn is closed"):
        gateway.write("churn", (first,), 2, tag)
    assert revision_at(gateway.url("churn")) == 2


def test_of_many_threads_that_saw_the_same_route_one_wins(gateway: TraefikGateway, serve: Serve) -> None:
    backend = serve(1)

    def attempt(_: int) -> str:
        try:
            return gateway.write("churn", (backend,), 1, "")
        except RouteMoved:
            return ""

    with ThreadPoolExecutor(8) as writers:
        won = [tag for tag in writers.map(attempt, range(8)) if tag]
    assert won == [gateway.routes()["churn"].tag]


ADDER = """
    import sys
    from pathlib import Path
    from deployer.errors import RouteMoved
    from deployer.gateway import NO_ROUTE
    from deployer.gateways.traefik import TraefikGateway

    gateway = TraefikGateway(Path(sys.argv[1]))
    written = 0
    while written < 25:
        seen = gateway.routes("churn").get("churn", NO_ROUTE)
        try:
            gateway.write("churn", (), seen.high + 1, seen.tag)
            written += 1
        except RouteMoved:
            pass
"""


def test_no_write_of_several_processes_is_lost(tmp_path: Path) -> None:
    command = [sys.executable, "-c", textwrap.dedent(ADDER), str(tmp_path)]
    writers = [subprocess.Popen(command) for _ in range(3)]
    try:
        assert [writer.wait(60) for writer in writers] == [0, 0, 0]
    finally:
        for writer in writers:
            writer.kill()
            writer.wait()
    assert TraefikGateway(tmp_path).routes()["churn"].high == 75


def test_an_acknowledgement_of_a_route_that_was_replaced_is_refused(gateway: TraefikGateway, serve: Serve) -> None:
    first = gateway.write("churn", (serve(1),), 1, "")
    gateway.write("churn", (serve(2),), 2, first)
    with pytest.raises(RouteMoved):
        gateway.acknowledge("churn", "never-written", 5)


def test_a_file_that_keeps_routes_from_loading_is_named(gateway: TraefikGateway, tmp_path: Path, serve: Serve) -> None:
    route(gateway, "churn", serve(1))
    broken = tmp_path / "gateway-0" / "routes" / "mine.yml"
    broken.write_text("http: [this is: no route\n")
    tag = gateway.write("churn", (serve(2),), 2, gateway.routes()["churn"].tag)
    with pytest.raises(GatewayDown) as caught:
        gateway.acknowledge("churn", tag, 1.5)
    assert f"{broken} is not as the gateway writes it" in str(caught.value)
    assert "churn.yml" in str(caught.value) and "last log lines" in str(caught.value)
    assert revision_at(gateway.url("churn")) == 1
    broken.unlink()
    gateway.acknowledge("churn", tag, 10)
    assert revision_at(gateway.url("churn")) == 2


def test_what_cannot_be_read_is_no_route(gateway: TraefikGateway, tmp_path: Path, serve: Serve) -> None:
    gateway.write("churn", (serve(1),), 1, "")
    routes = tmp_path / "gateway-0" / "routes"
    (routes / "half.yml").write_bytes(b'# {"split": [\xff')
    (routes / "folder.yml").mkdir()
    assert list(gateway.routes()) == ["churn"] and gateway.routes("half") == {}


def test_a_route_that_is_cut_off_while_it_is_written_leaves_the_old_one(tmp_path: Path) -> None:
    gateway = TraefikGateway(tmp_path)
    tag = gateway.write("churn", (Backend(1, "http://127.0.0.1:9001"),), 1, "")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200, limits[1]))
    try:
        with pytest.raises(StateDirectoryUnusable, match="what stood before still stands"):
            gateway.write("churn", (Backend(2, "http://127.0.0.1:9002"),), 2, tag)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert gateway.routes()["churn"].tag == tag
    assert list((tmp_path / "scratch").iterdir()) == []


def test_the_metrics_of_services_that_are_gone_do_not_pile_up_in_the_proxy(
    gateway: TraefikGateway, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(traefik, "FORGETS_EVERY", 1)
    backend = serve(1)
    for _ in range(6):
        route(gateway, "churn", backend)
        get(gateway.url("churn"))
    assert len(set(re.findall(r'service="(churn-\w+)@file"', gateway.metrics()))) <= 2


def test_requests_are_counted_by_service(gateway: TraefikGateway, serve: Serve) -> None:
    tag = route(gateway, "churn", serve(1))
    get(gateway.url("churn"))
    lines = [line for line in gateway.metrics().splitlines() if f'service="churn-{tag}@file"' in line]
    assert any(line.startswith("traefik_service_requests_total") and 'code="200"' in line for line in lines)
    assert any(line.startswith("traefik_service_request_duration_seconds_bucket") for line in lines)


def test_the_traffic_of_each_server_is_counted(gateway: TraefikGateway, serve: Serve) -> None:
    route(gateway, "churn", serve(1))
    route(gateway, "idle", serve(2))
    for _ in range(5):
        get(gateway.url("churn"))
    counted = gateway.traffic()
    assert list(counted) == ["churn"] and counted["churn"].answers == {"2xx": 5}
    assert counted["churn"].p99_s is not None and counted["churn"].p99_s < 30


def test_the_count_begins_anew_with_each_route_even_before_the_proxy_forgets_the_old(
    gateway: TraefikGateway, serve: Serve
) -> None:
    route(gateway, "churn", serve(1))
    for _ in range(5):
        get(gateway.url("churn"))
    route(gateway, "churn", serve(2))
    get(gateway.url("churn"))
    assert [gateway.traffic()["churn"].requests for _ in range(2)] == [1, 1]
