"""A route as Traefik's file, and back."""

import json
from typing import Any

import pytest

from deployer.gateway import Backend, Route, Split
from deployer.gateways.traefik_routes import new_head, parsed, rendered, tag_of

SERVING = (Backend(3, "http://127.0.0.1:9003"),)


def file_of(split: Split, high: int = 3) -> str:
    return rendered("churn", new_head(split, high))


def http_of(split: Split) -> Any:
    return json.loads(file_of(split).partition("\n")[2])["http"]


def test_a_file_reads_back_as_the_route_it_was_made_of() -> None:
    split = (Backend(3, "http://127.0.0.1:9003", True, 9), Backend(4, "", False, 1))
    text = file_of(split, 5)
    assert parsed(text) == Route(split, 5, tag_of(text.splitlines()[0]))


def test_the_same_route_has_another_tag_each_time() -> None:
    assert tag_of(new_head(SERVING, 3)) != tag_of(new_head(SERVING, 3))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "http:\n  routers: {}\n",
        "# a note of somebody's\n",
        '# {"split": [], "high": "3"}',
        '# {"split": [{"revision": 1}], "high": 3}',
        '# {"split": [{"revision": 1, "address": 5, "stamps_revision": false, "weight": 1}], "high": 1}',
        '# {"split": 7, "high": 3}',
        "# [1, 2]",
        '# {"split": [], "hi',
    ],
)
def test_what_cannot_be_read_is_no_route(text: str) -> None:
    assert parsed(text) is None


def test_the_service_carries_the_tag() -> None:
    text = file_of(SERVING)
    route = parsed(text)
    assert route and json.loads(text.partition("\n")[2])["http"]["routers"]["churn"]["service"] == f"churn-{route.tag}"


def test_the_gateway_stamps_the_revision_of_a_server_that_does_not() -> None:
    stamp = http_of(SERVING)["middlewares"]["churn-revision"]
    assert stamp == {"headers": {"customResponseHeaders": {"Model-Server-Revision": "3"}}}


@pytest.mark.parametrize(
    "split",
    [(Backend(3, "http://127.0.0.1:9003", True),), (Backend(3, ""),), (*SERVING, Backend(4, "http://127.0.0.1:9004"))],
    ids=["it stamps itself", "it is stopped", "it is one of two"],
)
def test_the_gateway_does_not_stamp_a_revision_where(split: Split) -> None:
    assert "churn-revision" not in http_of(split)["middlewares"]


@pytest.mark.parametrize("split", [(), (Backend(3, ""),)], ids=["empty", "stopped"])
def test_a_split_that_serves_nothing_keeps_its_router_and_has_no_backends(split: Split) -> None:
    (service,) = http_of(split)["services"].values()
    assert service == {"loadBalancer": {"servers": []}}


def test_several_backends_share_the_traffic_by_weight() -> None:
    split = (Backend(3, "http://127.0.0.1:9003", weight=9), Backend(4, "http://127.0.0.1:9004", weight=1))
    http = http_of(split)
    weighted = http["services"][http["routers"]["churn"]["service"]]["weighted"]["services"]
    assert [share["weight"] for share in weighted] == [9, 1]
    assert all(share["name"] in http["services"] for share in weighted)
