"""A route as a file that Traefik reads, and back.

The first line is ours: a YAML comment holding the route as JSON. Everything below it follows from that line.
"""

import hashlib
import json
import re
import secrets
from dataclasses import asdict
from functools import lru_cache
from typing import Any

from deployer.gateway import REVISION_HEADER, Backend, Route, Split, Tag
from deployer.gateways import traefik_access

SERVER = re.compile(r"[a-z][a-z0-9-]*")
RETRY = {"attempts": 3, "initialInterval": "20ms"}


def new_head(split: Split, high: int) -> str:
    """A first line for that route, unlike every other one: writing the same route again is a new version."""
    return "# " + json.dumps({"split": [asdict(b) for b in split], "high": high, "nonce": secrets.token_hex(8)})


def tag_of(head: str) -> Tag:
    """The tag that names the route with this first line."""
    return hashlib.sha256(head.encode()).hexdigest()[:12]


def service_of(server: str, tag: Tag) -> str:
    """The service that the router of that version of the route sends to."""
    return f"{server}-{tag}"


def parsed(text: str) -> Route | None:
    """The route that a file's first line tells; None where it tells none."""
    return _told(text.partition("\n")[0])


@lru_cache(maxsize=16 * 1024)
def _told(head: str) -> Route | None:
    try:
        told = json.loads(head.removeprefix("# "))
        split = tuple(_backend(entry) for entry in told["split"])
        return Route(split, _natural(told["high"]), tag_of(head))
    except (ValueError, TypeError, KeyError):
        return None


def rendered(server: str, head: str) -> str:
    """The whole file for a first line that `parsed` understands.

    A stopped server keeps its router and gets a service without backends, which answers 503 at once;
    without the router it would be a 404, with a dead address a 502.
    """
    route = parsed(head)
    if route is None:
        raise ValueError(f"not the first line of a route: {head}")
    return head + "\n" + json.dumps({"http": _http(server, route)}, indent=1) + "\n"


def _backend(entry: dict[str, Any]) -> Backend:
    address, stamps, access = entry["address"], entry["stamps_revision"], entry.get("access", "")
    if not (isinstance(address, str) and isinstance(stamps, bool) and isinstance(access, str)):
        raise TypeError("an address and an access are text, stamps_revision a truth value")
    return Backend(_natural(entry["revision"]), address, stamps, _natural(entry["weight"]), access)


def _natural(value: object) -> int:
    if not isinstance(value, int) or value < 0:
        raise ValueError(f"{value!r} is not a natural number")
    return value


def _http(server: str, route: Route) -> dict[str, Any]:
    access = next((b.access for b in route.split if b.access), "")
    middlewares: dict[str, Any] = {
        **({f"{server}-access": traefik_access.check(access)} if access else {}),
        f"{server}-strip": {"stripPrefix": {"prefixes": [f"/{server}"]}},
        f"{server}-retry": {"retry": RETRY},
    }
    if stamp := _revision_to_stamp(route.split):
        middlewares[f"{server}-revision"] = {"headers": {"customResponseHeaders": {REVISION_HEADER: str(stamp)}}}
    service = service_of(server, route.tag)
    router = {
        # The slash keeps `/churn` from catching what belongs to `/churn-2`.
        "rule": f"PathPrefix(`/{server}/`) || Path(`/{server}`)",
        "service": service,
        "entryPoints": ["web"],
        "middlewares": [*([] if access else [traefik_access.MIDDLEWARE]), *middlewares],
    }
    return {"routers": {server: router}, "middlewares": middlewares, "services": _services(service, route.split)}


def _revision_to_stamp(split: Split) -> int:
    alone = split[0] if len(split) == 1 else None
    return alone.revision if alone and alone.address and not alone.stamps_revision else 0


def _services(name: str, split: Split) -> dict[str, Any]:
    serving = [backend for backend in split if backend.address]
    if len(serving) <= 1:
        return {name: _balancer(backend.address for backend in serving)}
    shares = [{"name": f"{name}-r{backend.revision}", "weight": backend.weight} for backend in serving]
    each = {f"{name}-r{backend.revision}": _balancer([backend.address]) for backend in serving}
    return {name: {"weighted": {"services": shares}}, **each}


def _balancer(addresses: Any) -> dict[str, Any]:
    return {"loadBalancer": {"servers": [{"url": address} for address in addresses]}}
