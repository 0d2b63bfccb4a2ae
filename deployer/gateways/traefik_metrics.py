"""What Traefik's metrics tell of each server; pure.

They are kept by service, and a service carries its route's tag: what is told begins with the route's last change.
Those of services that are gone are told once more, the next time somebody asks.
"""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import suppress
from math import inf

from deployer.gateway import Tag, Traffic

SERVICE = re.compile(r"(?P<server>[a-z][a-z0-9-]*)-(?P<tag>[0-9a-f]{12})(?:-r\d+)?@file")
SAMPLE = re.compile(r"^traefik_service_(requests_total|request_duration_seconds_bucket)\{(.*)\} (\S+)$", re.MULTILINE)
LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


def traffic(text: str, tags: Mapping[str, Tag]) -> dict[str, Traffic]:
    """By server, from metrics in Prometheus' text format; what was never called by its present route is left out.

    Args:
        tags: those of the present routes, by server.
    """
    answers: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    buckets: dict[str, dict[float, int]] = defaultdict(lambda: defaultdict(int))
    for kind, labels, value in _samples(text):
        service = SERVICE.fullmatch(labels.get("service", ""))
        if service is None or tags.get(service["server"]) != service["tag"]:
            continue
        if kind == "requests_total":
            answers[service["server"]][f"{labels['code'][:1]}xx"] += value
        else:
            buckets[service["server"]][float(labels["le"])] += value
    return {server: _told(counted, buckets[server]) for server, counted in answers.items()}


def _samples(text: str) -> Iterator[tuple[str, dict[str, str], int]]:
    for sample in SAMPLE.finditer(text):
        with suppress(ValueError, OverflowError):  # Something else than a number was counted.
            yield sample[1], dict(LABEL.findall(sample[2])), int(float(sample[3]))


def _told(answers: Mapping[str, int], buckets: Mapping[float, int]) -> Traffic:
    p50_s, p95_s, p99_s = (quantile(buckets, share) for share in (0.5, 0.95, 0.99))
    return Traffic(answers=dict(sorted(answers.items())), p50_s=p50_s, p95_s=p95_s, p99_s=p99_s)


def quantile(buckets: Mapping[float, int], share: float) -> float | None:
    """The duration below which that share of the requests stayed, in seconds; None without any.

    Args:
        buckets: how many requests took at most so many seconds, by that bound.

    Within a bucket the requests are taken to lie evenly; of those beyond the last bound no more is known than that.
    """
    wanted = share * max(buckets.values(), default=0)
    below, lower = 0, 0.0
    for bound, count in sorted(buckets.items()):
        if wanted and count >= wanted:
            return lower if bound == inf else lower + (bound - lower) * (wanted - below) / (count - below)
        below, lower = count, bound
    return None
