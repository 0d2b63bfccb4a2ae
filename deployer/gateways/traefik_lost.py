"""A proxy whose folder was erased while it ran: no file tells of it any more, and it sees no route."""

import contextlib
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

from deployer.gateways.traefik_admin import TraefikAdmin
from deployer.gateways.traefik_settings import Address, told_by

GRACE_S = 2.0


@dataclass(frozen=True)
class LostProxy:
    """It goes on with the routes that it knows."""

    process: psutil.Process

    def address(self) -> Address | None:
        """Where it serves; None where it does not say."""
        try:
            connections = self.process.net_connections("tcp")
        except psutil.Error:
            return None
        ports = [connection.laddr.port for connection in connections if connection.status == psutil.CONN_LISTEN]
        told = filter(None, (TraefikAdmin(port).address() for port in ports))
        return next((address for address in told if address.port in ports), None)

    def end(self) -> None:
        """End it, by force after a moment; one that does not end, or may not be ended, keeps its port."""
        with contextlib.suppress(psutil.Error):
            self.process.terminate()
            try:
                self.process.wait(GRACE_S)
            except psutil.TimeoutExpired:
                self.process.kill()
                self.process.wait(GRACE_S)


def lost_proxies(settings: Path) -> Iterator[LostProxy]:
    """Those that were told to follow a settings file, and whose own folder is gone."""
    for process in psutil.process_iter(["cmdline"]):
        if told_by(settings) in (process.info["cmdline"] or ()) and _is_homeless(process.pid):
            yield LostProxy(process)


def _is_homeless(pid: int) -> bool:
    """Where another container's files have the same paths as ours, a proxy of that path is none of ours."""
    if sys.platform != "linux":
        return True
    try:
        return os.stat(f"/proc/{pid}/cwd").st_nlink == 0
    except OSError:
        return False
