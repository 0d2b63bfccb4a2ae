"""What is known of the traffic of model servers, for whoever shows it."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING
from uuid import UUID

from deployer.errors import GatewayDown

if TYPE_CHECKING:
    from deployer.base import BaseModelDeployer
    from deployer.gateway import Traffic
    from deployer.server import ModelServer


def known_traffic(deployer: "BaseModelDeployer", servers: "Sequence[ModelServer]") -> "Mapping[UUID, Traffic] | None":
    """What the gateway counted of each server; None where it does not answer, or the deployer cannot ask it."""
    from deployer.engine_deployer import EngineModelDeployer

    if not isinstance(deployer, EngineModelDeployer):
        return None
    with suppress(GatewayDown):
        return deployer.traffic(servers)
    return None
