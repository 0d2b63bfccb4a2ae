"""The network of ours on which each workload has an address for life."""

import ipaddress
import random
from collections.abc import Container
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deployer.errors import EngineError
from deployer.flavors.docker import labels
from deployer.flavors.docker.connection import Connection
from deployer.flavors.docker.refusals import Gone, refusals

NAME = "model-deployer"
CANDIDATES = tuple(
    ipaddress.IPv4Network(f"10.{second}.{third}.0/20") for second in range(201, 230) for third in (0, 128)
)
ROUTES = Path("/proc/net/route")
HINT = "Name one that is free: the setting subnet."


@dataclass(frozen=True)
class Network:
    """A bridge of the engine's; the lower half of its subnet is ours to give, the upper half is the engine's.

    Without that parting the engine gives a stopped workload's address to the next container that has none of its own.

    Args:
        subnet: the one to make it with; empty: one that nobody here has.
    """

    connection: Connection
    subnet: str = ""

    def ensure(self) -> ipaddress.IPv4Network:
        """Make it if it is not there; its subnet.

        Raises:
            EngineError: no subnet is free, or a network of somebody else's has the name.
        """
        for _ in range(3):
            try:
                return self._present()
            except Gone:
                self._make()
        raise EngineError(f"The network {NAME} comes and goes.", hint="Somebody removes it: see who.")

    def free_address(self, taken: Container[str]) -> str:
        """One that no workload has.

        Raises:
            EngineError: there is none.
        """
        subnet = self.ensure()
        half = next(iter(subnet.subnets(prefixlen_diff=1)))
        hosts = [str(half[number]) for number in range(2, half.num_addresses)]
        free = next((address for address in random.sample(hosts, len(hosts)) if address not in taken), "")
        if not free:
            raise EngineError(f"All {len(hosts)} addresses of the network {NAME} are taken.", hint=HINT)
        return free

    def _present(self) -> ipaddress.IPv4Network:
        with refusals(f"the network {NAME} could not be looked at"):
            told: dict[str, Any] = self.connection.api.inspect_network(NAME)
        if labels.NETWORK not in (told.get("Labels") or {}):
            what = f"There is a network {NAME} that is not this library's."
            raise EngineError(
                what, hint="Remove or rename it: `docker network inspect model-deployer` shows whose it is."
            )
        return ipaddress.IPv4Network(told["IPAM"]["Config"][0]["Subnet"])

    def _make(self) -> None:
        """Of several who make it at once one does."""
        from docker.types import IPAMConfig, IPAMPool

        asked = [ipaddress.IPv4Network(self.subnet)] if self.subnet else [n for n in CANDIDATES if not _is_routed(n)]
        for subnet in asked:
            upper = list(subnet.subnets(prefixlen_diff=1))[1]
            pool = IPAMPool(subnet=str(subnet), iprange=str(upper), gateway=str(upper[1]))
            try:
                with refusals(f"the network {NAME} could not be made"):
                    self.connection.api.create_network(
                        NAME,
                        driver="bridge",
                        ipam=IPAMConfig(pool_configs=[pool]),
                        labels={labels.NETWORK: "1"},
                        check_duplicate=True,
                    )
                    return
            except EngineError as error:
                if "already exists" in error.what:
                    return
                if "overlaps" not in error.what:
                    raise
        named = self.subnet or "of those that this library tries"
        raise EngineError(f"The network {NAME} could not be made: no subnet {named} is free here.", hint=HINT)


def _is_routed(subnet: ipaddress.IPv4Network) -> bool:
    """Whether this machine sends packets for some of it elsewhere than by default; the engine does not look."""
    try:
        lines = ROUTES.read_text().splitlines()[1:]
    except OSError:
        return False
    for line in lines:
        _, destination, _, _, _, _, _, mask, *_ = line.split()
        address, length = _number(destination), bin(int(mask, 16)).count("1")
        if length and ipaddress.ip_network((address, length), strict=False).overlaps(subnet):
            return True
    return False


def _number(little_endian: str) -> int:
    return int.from_bytes(bytes.fromhex(little_endian), "little")
