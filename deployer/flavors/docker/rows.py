"""A container as the engine lists it: all that one call tells; pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from deployer.engine import Phase, Wanted
from deployer.flavors.docker import labels

PHASES = {
    "created": Phase.CREATED,
    "running": Phase.RUNNING,
    "paused": Phase.RUNNING,
    "restarting": Phase.ENDED,
    "exited": Phase.ENDED,
    "dead": Phase.ENDED,
    "removing": Phase.ENDED,
}
SECONDS = {
    **{"second": 1, "minute": 60, "hour": 3600, "day": 86_400},
    **{"week": 7 * 86_400, "month": 30 * 86_400, "year": 365 * 86_400},
}
_AGE = re.compile(r"(Less than a|About a|About an|[0-9]+) (second|minute|hour|day|week|month|year)s?")
_EXITED = re.compile(r"\(([0-9]+)\)")


@dataclass(frozen=True)
class Row:
    """One container.

    Attributes:
        workload: the platform name that its own name says.
        age_s: seconds since its state began, as roughly as the engine says it.
    """

    id: str
    name: str
    state: str
    status: str
    created: float
    labels: Mapping[str, str]
    address: str
    volumes: tuple[str, ...]

    @property
    def workload(self) -> str:
        return labels.wanted_by(self.name)[0]

    @property
    def wanted(self) -> Wanted:
        return labels.wanted_by(self.name)[1]

    @property
    def phase(self) -> Phase:
        return PHASES.get(self.state, Phase.ENDED)

    @property
    def token(self) -> str:
        return self.labels.get(labels.TOKEN, "")

    @property
    def age_s(self) -> float:
        found = _AGE.search(self.status)
        if found is None:
            return 0.0
        many = 0 if found[1].startswith("Less") else 1 if found[1].startswith("About") else int(found[1])
        return float(many * SECONDS[found[2]])

    @property
    def exit_code(self) -> int:
        """Negative for a signal, as its init process tells it: 128 and the signal's number."""
        found = _EXITED.search(self.status)
        return as_exit_code(int(found[1])) if found else 0


def as_exit_code(status: int) -> int:
    """An exit status of the engine's, negative for a signal."""
    return 128 - status if 128 < status < 192 else status


def row_of(told: Mapping[str, Any], network: str) -> Row:
    """A container from the engine's list.

    Args:
        network: of which its address is.
    """
    networks = (told.get("NetworkSettings") or {}).get("Networks") or {}
    end = networks.get(network) or {}
    return Row(
        id=told["Id"],
        name=next(iter(told.get("Names") or [""]), "").lstrip("/"),
        state=told.get("State", ""),
        status=told.get("Status", ""),
        created=float(told.get("Created", 0)),
        labels=told.get("Labels") or {},
        address=(end.get("IPAMConfig") or {}).get("IPv4Address") or end.get("IPAddress") or "",
        volumes=tuple(mount["Name"] for mount in told.get("Mounts") or () if mount.get("Name")),
    )
