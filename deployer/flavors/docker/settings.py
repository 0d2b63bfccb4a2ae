"""Settings of the docker flavor."""

import ipaddress
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, ConfigDict, Field

from deployer.gateways.on_host import HostSettings

LARGEST_PREFIX = 29


def _subnet(subnet: str) -> str:
    if not subnet:
        return ""
    network = ipaddress.IPv4Network(subnet)
    if network.prefixlen > LARGEST_PREFIX:
        raise ValueError(f"{subnet} has too few addresses: give a /{LARGEST_PREFIX} or a larger one")
    return str(network)


class DockerSettings(HostSettings):
    """Which engine the docker flavor uses, and where its URLs are."""

    model_config = ConfigDict(title="Docker")

    docker_host: str = Field(
        default="",
        title="Docker host",
        description="URL of the engine's API; that of DOCKER_HOST, else this machine's usual socket, when empty.",
    )
    tls_folder: Path | None = Field(
        default=None,
        title="TLS folder",
        description="Folder with ca.pem, cert.pem and key.pem for an engine that asks for them.",
    )
    image: str = Field(
        default="",
        pattern="^[^\\s]*$",
        title="Image",
        description="The image that serves models whose config names none.",
    )
    subnet: Annotated[str, AfterValidator(_subnet)] = Field(
        default="",
        title="Subnet",
        description="Of the network that the containers share, as 10.201.0.0/20; one that is free when empty.",
    )
