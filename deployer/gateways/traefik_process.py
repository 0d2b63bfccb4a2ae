"""One Traefik a folder: started once, found again by everyone, and never part of a deploy."""

import time
from pathlib import Path

import psutil

from deployer.errors import EngineError, GatewayDown, PortTaken
from deployer.gateways.files import replace_file
from deployer.gateways.traefik_admin import TraefikAdmin
from deployer.gateways.traefik_settings import Address, environment, find_binary, settings_file
from deployer.ports import LOOPBACK, free_port, is_taken
from deployer.processes.held import HeldProcess

START_S = 10.0
HUNG_S = 5.0
POLL_S = 0.02
ATTEMPTS = 3
LOG_LINES = 5


class TraefikProcess:
    """The proxy of one gateway folder.

    Args:
        routes: the folder that it watches.
        port: the port asked for; None leaves the choice to us.
        default_port: the one preferred then.
        binary: the Traefik to run; None looks for one.
    """

    def __init__(self, folder: Path, routes: Path, port: int | None, default_port: int, binary: Path | None) -> None:
        self._folder = folder
        self._routes = routes
        self._port = port
        self._default_port = default_port
        self._binary = binary
        self._process = HeldProcess(folder / "proxy")

    @property
    def address(self) -> Address | None:
        """The ports it was last started on."""
        return Address.remembered(self._folder / "address")

    @property
    def expected_port(self) -> int:
        """The port it was last started on; before that, the one it would be started on first."""
        address = self.address
        return address.port if address else self._port or self._default_port

    def runs(self) -> bool:
        """Whether the process lives, whether or not it answers."""
        return self._process.held()

    def answers(self) -> bool:
        """Whether it lives and its admin API answers.

        Raises:
            EngineError: it does, on another port than the one asked for.
        """
        address = self.address
        if address is None or not self.runs() or not TraefikAdmin(address.admin).answers():
            return False
        if self._port not in (None, address.port):
            raise EngineError(
                f"the gateway of {self._folder} serves on port {address.port}, not on {self._port}",
                serving="every model server keeps its URL",
                hint=f"set the port to {address.port}, or stop the gateway first: its URLs change with its port",
            )
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
        """Start it, on the remembered ports where they are free, and wait until it serves on them.

        Raises:
            PortTaken: the port asked for belongs to somebody else.
            GatewayDown: it ended, or does not answer.
        """
        binary = find_binary(self._binary)
        for _ in range(ATTEMPTS):
            address = self._choose_address()
            self._launch(binary, address)
            if self._comes_up(address):
                return
            if not (is_taken(address.port) or is_taken(address.admin)):
                break
        raise self._ended()

    def stop(self, grace_s: float) -> None:
        """End it, by force after so many seconds."""
        self._process.stop(grace_s)

    def last_words(self) -> str:
        """The last lines of the proxy's log, to end a message with."""
        lines = self._process.log().tail(LOG_LINES)
        return "\n".join(["\nthe gateway's last log lines:", *lines]) if lines else ""

    def _choose_address(self) -> Address:
        told = self.address
        if self._port is not None and is_taken(self._port):
            raise PortTaken(
                f"port {self._port} of {LOOPBACK}, asked for as the gateway's, belongs to somebody else",
                hint="end what listens there, or give another port, or none: then a free one is found and remembered",
            )
        port = self._port or free_port(preferred=told.port if told else self._default_port)
        admin = free_port(preferred=told.admin if told else 0, avoid=port)
        if not (port and admin):
            raise GatewayDown("no port is free for the gateway", hint="end what holds so many ports, then try again")
        return Address(port, admin)

    def _launch(self, binary: Path, address: Address) -> None:
        settings = self._folder / "traefik.yml"
        replace_file(settings, settings_file(self._routes, address), self._folder / "scratch")
        replace_file(self._folder / "address", address.told(), self._folder / "scratch")
        self._process.prepare()
        self._process.start([str(binary), f"--configFile={settings}"], environment(), deadline_s=START_S)

    def _comes_up(self, address: Address) -> bool:
        """Whether it serves on both ports; False where it ended instead."""
        until = time.monotonic() + START_S
        while self.runs():
            if self._owns(address) and TraefikAdmin(address.admin).answers():
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
            serving="no URL answers until it runs; workloads keep running",
            hint="see to what its log says, then deploy again or reconcile",
        )
