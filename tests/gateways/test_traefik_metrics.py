"""What metrics tell; as text that Traefik wrote, and as numbers."""

from math import inf

import pytest

from deployer.gateways.traefik_metrics import quantile, traffic

OWN = 'service="churn-2-0123456789ab@file"'
TAGS = {"churn-2": "0123456789ab", "idle": "0123456789ab"}
TEXT = f"""
# TYPE traefik_service_requests_total counter
traefik_service_requests_total{{code="200",method="POST",protocol="http",{OWN}}} 90
traefik_service_requests_total{{code="201",method="POST",protocol="http",{OWN}}} 6
traefik_service_requests_total{{code="503",method="GET",protocol="http",{OWN}}} 4
traefik_service_requests_total{{code="200",method="GET",protocol="http",service="churn-2-ba9876543210@file"}} 8
traefik_service_requests_total{{code="200",method="GET",protocol="http",service="api@internal"}} 7
traefik_service_request_duration_seconds_bucket{{code="200",method="POST",protocol="http",{OWN},le="0.1"}} 50
traefik_service_request_duration_seconds_bucket{{code="200",method="POST",protocol="http",{OWN},le="0.2"}} 100
traefik_service_request_duration_seconds_bucket{{code="200",method="POST",protocol="http",{OWN},le="+Inf"}} 100
traefik_router_requests_total{{code="200",router="churn@file"}} 5
"""


def test_what_was_counted_by_the_present_route_is_the_servers() -> None:
    told = traffic(TEXT, TAGS)
    assert list(told) == ["churn-2"]
    assert (told["churn-2"].requests, told["churn-2"].errors) == (100, 4)
    assert told["churn-2"].answers == {"2xx": 96, "5xx": 4}
    assert [told["churn-2"].p50_s, told["churn-2"].p95_s] == pytest.approx([0.1, 0.19])


def test_of_what_nobody_called_nothing_is_told() -> None:
    assert traffic("", TAGS) == {} and traffic("nonsense{ \n traefik_service_requests_total 5", TAGS) == {}


def test_the_parts_of_a_split_are_counted_together() -> None:
    parts = (TEXT.replace("ab@file", f"ab-r{revision}@file") for revision in (1, 2))
    told = traffic("".join(parts), TAGS)["churn-2"]
    assert (told.requests, told.errors) == (200, 8) and told.p50_s == pytest.approx(0.1)


@pytest.mark.parametrize("value", ["1.5e+06", "NaN", "+Inf", "many"])
def test_a_number_of_any_kind_is_read_or_passed_over(value: str) -> None:
    told = traffic(TEXT.replace(" 90", f" {value}"), TAGS)["churn-2"]
    assert told.answers["2xx"] == (1_500_006 if value == "1.5e+06" else 6)


@pytest.mark.parametrize(
    ("buckets", "share", "told"),
    [
        ({}, 0.5, None),
        ({0.1: 0, inf: 0}, 0.5, None),
        ({0.1: 10, 0.2: 10, inf: 10}, 0.5, 0.05),
        ({0.1: 0, 0.2: 10, inf: 10}, 0.5, 0.15),
        ({0.1: 1, 0.2: 1, inf: 10}, 0.99, 0.2),
    ],
    ids=["none", "empty", "within the first", "within the second", "beyond the last"],
)
def test_a_quantile_lies_within_its_bucket(buckets: dict[float, int], share: float, told: float | None) -> None:
    assert quantile(buckets, share) == (told if told is None else pytest.approx(told))
