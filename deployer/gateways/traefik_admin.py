"""What a running Traefik says of itself, on its admin port."""

import ipaddress
import json
from dataclasses import dataclass

from deployer.gateways import traefik_access
from deployer.gateways.traefik_settings import Address
from deployer.http import Answer, NoAnswer, request
from deployer.ports import LOOPBACK

ANSWER_S = 1.0
ACCESS = f"/api/http/middlewares/{traefik_access.MIDDLEWARE}@file"


@dataclass(frozen=True)
class Router:
    """How the proxy routes one server now.

    Attributes:
        service: what it sends to; empty where the proxy knows no such router.
        errors: why it does not use it, in its own words.
    """

    service: str = ""
    enabled: bool = False
    errors: str = ""


@dataclass(frozen=True)
class TraefikAdmin:
    """The admin API on a loopback port. `NoAnswer` where nothing, or nothing sensible, comes back."""

    port: int

    def address(self) -> Address | None:
        """Where the proxy that answers serves; None where no proxy does. A stranger may answer 200 to everything."""
        try:
            told = json.loads(self._get("/api/entrypoints/web").body)
            bind, _, port = told["address"].rpartition(":")
            secure = "tls" in told.get("http", {})
            return Address(int(port), self.port, str(ipaddress.ip_address(bind.strip("[]"))), secure)
        except (NoAnswer, ValueError, KeyError, TypeError, AttributeError):
            return None

    def router(self, server: str) -> Router:
        """The server's router, as far as the proxy has loaded it."""
        answer = self._get(f"/api/http/routers/{server}@file")
        if answer.status == 404:
            return Router()
        try:
            told = json.loads(answer.body)
            return Router(told["service"], told["status"] == "enabled", "; ".join(told.get("error", ())))
        except (ValueError, KeyError, TypeError):
            raise NoAnswer(f"the admin API's answer makes no sense: {answer.status} {answer.first_line}") from None

    def access(self) -> str:
        """The entry of the token that it asks callers for; empty where it asks for none."""
        try:
            return traefik_access.asked_by(json.loads(self._get(ACCESS).body))
        except (NoAnswer, ValueError):
            return ""

    def metrics(self) -> str:
        """All metrics in Prometheus' text format."""
        return self._get("/metrics", 5 * ANSWER_S).body.decode(errors="replace")

    def _get(self, path: str, timeout_s: float = ANSWER_S) -> Answer:
        return request("GET", f"http://{LOOPBACK}:{self.port}{path}", timeout_s=timeout_s)
