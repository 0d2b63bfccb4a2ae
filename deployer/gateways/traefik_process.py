"""One Traefik a folder: started once, found again by everyone, and never part of a deploy."""

import time
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import psutil

from deployer.errors import EngineError, GatewayDown, PortTaken
from deployer.gateways.files import replace_file, storage
from deployer.gateways.traefik_admin import TraefikAdmin
from deployer.gateways.traefik_lost import lost_proxies
from deployer.gateways.traefik_settings import Address, environment, find_binary, settings_file, told_by
from deployer.ports import can_be_bound, free_port, is_taken
from deployer.processes.held import HeldProcess

START_S = 10.0
HUNG_S = 5.0
POLL_S = 0.02
ATTEMPTS = 3
LOG_LINES = 5
NO_URL_ANSWERS = "no URL answers until it runs; workloads keep running"


@dataclass(frozen=True)
class Asked:
    """Where a gateway was asked to serve; what is None stays as it is, and is as by default at first."""

    port: int | None = None
    bind: str | None = None
    secure: bool | None = None
    host: str | None = None

    def on(self, address: Address) -> Address:
        """That address as far as nothing else was asked for."""
        asked = {name: value for name, value in vars(self).items() if value is not None}
        return replace(address, **asked)


class TraefikProcess:
    """The proxy of one gateway folder.

    Args:
        routes: the folder that it watches.
        asked: where it was asked to serve.
        default_port: the port preferred where none was asked for.
        binary: the Traefik to run; None looks for one.
    """

    def __init__(self, folder: Path, routes: Path, asked: Asked, default_port: int, binary: Path | None) -> None:
        self._folder = folder
        self._settings = folder / "traefik.yml"
        self._routes = routes
        self._asked = asked
        self._default_port = default_port
        self._binary = binary
        self._process = HeldProcess(folder / "proxy")

    @property
    def address(self) -> Address | None:
        """The ports it was last started on."""
        with storage("read the gateway's address"):
            return Address.remembered(self._folder / "address")

    @property
    def expected_address(self) -> Address:
        """Where it was last started; before that, where it would be started first."""
        return self._asked.on(self.address or self._lost_address or Address(self._default_port, 0))

    @cached_property
    def _lost_address(self) -> Address | None:
        """That of a proxy whose folder was erased; looked for once, as it takes a look at every process."""
        return next(filter(None, (lost.address() for lost in lost_proxies(self._settings))), None)

    def runs(self) -> bool:
        """Whether the process lives, whether or not it answers."""
        with storage("see whether the gateway runs"):
            return self._process.held()

    def answers(self) -> bool:
        """Whether it lives and its admin API answers.

        Raises:
            EngineError: it does, elsewhere than it was asked to.
        """
        address = self.address
        if address is None or not self.runs() or TraefikAdmin(address.admin).address() != address:
            return False
        if self._asked.on(address) != address:
            raise self._serves_elsewhere(address)
        return True

    def outlasts_silence(self) -> bool:
        """Whether it answers, given a while where it runs; False where it does not run.

        Raises:
            GatewayDown: it runs and stays silent.
        """
        until = time.monotonic() + HUNG_S
        while self.runs():
            if self.answers():
                return True
            if time.monotonic() >= until:
                raise self._hangs()
            time.sleep(POLL_S)
        return False

    def start(self) -> None:
        """Start it, on the port of its URLs where there are any, and wait until it serves.

        Raises:
            EngineError: the machine lacks the address that it was asked to serve on.
            PortTaken: that port, or the one asked for, belongs to somebody else.
            GatewayDown: it ended, or does not answer.
        """
        binary, served = find_binary(self._binary), self.address
        for lost in lost_proxies(self._settings):
            served = served or lost.address()
            lost.end()
        for _ in range(ATTEMPTS):
            address = self._choose_address(served)
            self._launch(binary, address)
            if self._comes_up(address):
                return
            if not (is_taken(address.port, address.bind) or is_taken(address.admin)):
                break
        raise self._ended()

    @property
    def has_another_host(self) -> bool:
        """Whether its URLs shall name another host than is remembered."""
        address = self.address
        return address is not None and self.expected_address.host != address.host

    def keep_host(self) -> None:
        """Remember the host asked for, the one part of its URLs that changes while it runs."""
        with storage("remember the host of the gateway's URLs"):
            self._remember(self.expected_address)

    def stop(self, grace_s: float) -> None:
        """End it, by force after so many seconds."""
        self._process.stop(grace_s)

    def last_words(self) -> str:
        """The last lines of the proxy's log, to end a message with."""
        lines = self._process.log().tail(LOG_LINES)
        return "\n".join(["\nthe gateway's last log lines:", *lines]) if lines else ""

    def _choose_address(self, served: Address | None) -> Address:
        """A URL lasts as long as its server, so the port that was served on once is kept."""
        kept = self._asked.port or (served.port if served else 0)
        bind = self._asked.on(served or Address(0, 0)).bind
        if not can_be_bound(0, bind):
            what = (
                f"no network interface of this machine has the address {bind}, which the gateway was asked to serve on"
            )
            raise EngineError(what, serving=NO_URL_ANSWERS, hint="set `bind` to one that it has, or leave it empty")
        if kept and is_taken(kept, bind):
            raise self._port_taken(kept, bind)
        port = kept or free_port(preferred=self._default_port, bind=bind)
        admin = free_port(preferred=served.admin if served else 0, avoid=port)
        if not (port and admin):
            raise GatewayDown("no port is free for the gateway", hint="end what holds so many ports, then try again")
        return replace(self._asked.on(served or Address(port, admin)), port=port, admin=admin)

    def _launch(self, binary: Path, address: Address) -> None:
        replace_file(self._settings, settings_file(self._routes, address), self._folder / "scratch")
        self._remember(address)
        self._process.prepare()
        self._process.start([str(binary), told_by(self._settings)], environment(), deadline_s=START_S)

    def _remember(self, address: Address) -> None:
        replace_file(self._folder / "address", address.told(), self._folder / "scratch")

    def _comes_up(self, address: Address) -> bool:
        """Whether it serves on both ports; False where it ended instead."""
        until = time.monotonic() + START_S
        while self.runs():
            if self._owns(address) and TraefikAdmin(address.admin).address() == address:
                return True
            if time.monotonic() >= until:
                raise self._hangs()
            time.sleep(POLL_S)
        return False

    def _owns(self, address: Address) -> bool:
        """A stranger on the port would answer as well."""
        try:
            listening = psutil.Process(self._pid()).net_connections("tcp")
        except psutil.Error:
            return False
        ports = {connection.laddr[1:] for connection in listening if connection.status == psutil.CONN_LISTEN}
        return {(address.port,), (address.admin,)} <= ports

    def _pid(self) -> int:
        identity = self._process.identity()
        return identity.pid if identity else 0

    def _port_taken(self, port: int, bind: str) -> PortTaken:
        why = "asked for as" if self._asked.port else "in every URL as"
        return PortTaken(
            f"port {port} of {bind}, {why} the gateway's, belongs to {_listener(port)}",
            serving=NO_URL_ANSWERS,
            hint="end what listens there, or set another gateway port: the URLs change with it",
        )

    def _serves_elsewhere(self, address: Address) -> EngineError:
        asked = self._asked.on(address)
        return EngineError(
            f"the gateway of {self._folder} serves at {address.url}, not at {asked.url}",
            serving="every model server keeps its URL",
            hint=f"set gateway_port, bind and certificate as they are, or end the gateway, process {self._pid()}: "
            "the next deploy or reconcile starts it where it is asked for, and all URLs change",
        )

    def _hangs(self) -> GatewayDown:
        return GatewayDown(
            f"the gateway runs as process {self._pid()}, but its admin API stays silent{self.last_words()}",
            serving="its URLs may hang as well; it was left alone",
            hint="if it does not recover, end that process: the next deploy or reconcile starts it on the same ports",
        )

    def _ended(self) -> GatewayDown:
        ending = self._process.ending()
        return GatewayDown(
            f"the gateway was started and ended: {ending.message if ending else 'how is unknown'}{self.last_words()}",
            serving=NO_URL_ANSWERS,
            hint="see to what its log says, then deploy again or reconcile",
        )


def _listener(port: int) -> str:
    """Who listens on that port, as far as this process may know."""
    try:
        listening = [c for c in psutil.net_connections("tcp") if c.status == psutil.CONN_LISTEN and c.pid]
        pid = next(c.pid for c in listening if c.laddr[1:2] == (port,))
        return f"process {pid} ({psutil.Process(pid).name()})"
    except (psutil.Error, StopIteration):
        return "somebody else"
