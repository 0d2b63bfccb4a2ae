"""One Docker engine as this deployer reaches it."""

import os
import time
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from deployer.errors import EngineError, Unsupported
from deployer.flavors.docker.refusals import NO_TRUST, refusals

if TYPE_CHECKING:
    from docker import APIClient
    from docker.tls import TLSConfig

API = "1.41"
ANSWERS_WITHIN_S = 60
USUAL = "unix:///var/run/docker.sock"
LOCAL_HOSTS = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True)
class Connection:
    """Where an engine is.

    Attributes:
        host: URL of its API; empty: DOCKER_HOST's, else the usual socket.
        tls_folder: holds ca.pem, cert.pem and key.pem; None: no TLS.
    """

    host: str = ""
    tls_folder: Path | None = None

    @property
    def url(self) -> str:
        return self.host or os.environ.get("DOCKER_HOST") or USUAL

    @cached_property
    def api(self) -> "APIClient":
        """The engine's API, version 1.41; one client, which any thread may use.

        Raises:
            EngineError: the certificates cannot be used, or the URL is none.
        """
        from docker import APIClient

        with refusals(f"The engine at {self.url} cannot be reached"):
            return APIClient(base_url=self.url, version=API, timeout=ANSWERS_WITHIN_S, tls=self._tls())

    def has_file(self, container: str, path: str) -> bool:
        """Whether a container, running or not, has that path; the SDK can only fetch it."""
        url = f"{self.api.base_url}/v{API}/containers/{container}/archive"
        return self.api.head(url, params={"path": path}, timeout=ANSWERS_WITHIN_S).status_code == HTTPStatus.OK

    def require_here(self) -> None:
        """The gateway is a process of this machine and reaches containers by their addresses.

        Raises:
            Unsupported: the engine is elsewhere.
        """
        parts = urlsplit(self.url)
        if parts.scheme not in ("unix", "") and parts.hostname not in LOCAL_HOSTS:
            raise Unsupported(
                f"The engine at {self.url} is not on this machine.",
                hint="Run the deployer on the engine's machine, or use a flavor for clusters.",
            )

    def now(self) -> float:
        """The time on this machine, which is the engine's too, in seconds since the epoch."""
        return time.time()

    def _tls(self) -> "bool | TLSConfig":
        from docker.tls import TLSConfig

        folder = self.tls_folder
        if folder is None:
            return False
        files = {name: str(folder / f"{name}.pem") for name in ("ca", "cert", "key")}
        if missing := [path for path in files.values() if not Path(path).is_file()]:
            raise EngineError(f"The engine's certificates are not all there: {missing[0]} is missing.", hint=NO_TRUST)
        return TLSConfig(client_cert=(files["cert"], files["key"]), ca_cert=files["ca"], verify=True)


def instant(text: str) -> float:
    """The engine's timestamps, which have nanoseconds, as seconds since the epoch; 0 for its zero."""
    whole, _, rest = text.rstrip("Z").partition(".")
    if whole.startswith("0001-"):
        return 0.0
    digits = rest[:6].ljust(6, "0") if rest else "000000"
    return datetime.fromisoformat(f"{whole}.{digits}+00:00").timestamp()
