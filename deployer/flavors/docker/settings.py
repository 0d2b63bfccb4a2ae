"""Settings of the docker flavor."""

import ipaddress
from pathlib import Path
from typing import Annotated, Self

from pydantic import AfterValidator, ConfigDict, Field, model_validator

from deployer.config import secret_reference
from deployer.gateways.on_host import HostSettings

LARGEST_PREFIX = 29


def _reference(login: str) -> str:
    return secret_reference(login) if login else ""


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
    base_image: str = Field(
        default="python:{python}-slim",
        pattern="^[^\\s]+$",
        title="Base image",
        description="What images for models are built on, where neither a config nor `image` names a whole one: any "
        "that has python3 with its module venv. {python} stands for the model's version, as 3.11.",
    )
    build_network: str = Field(
        default="",
        pattern="^[^\\s]*$",
        title="Network of builds",
        description="`host` lets a build reach what this machine reaches; the engine's usual one when empty.",
    )
    push_to: str = Field(
        default="",
        pattern="^([^\\s@:/]+(:[0-9]+)?/)?[^\\s@:/]+(/[^\\s@:/]+)*$|^$",
        title="Push to",
        description="Repository that images which were built are pushed to, as ghcr.io/us/models; none when empty.",
    )
    registry_credentials: Annotated[str, AfterValidator(_reference)] = Field(
        default="",
        title="Registry credentials",
        description="Reference to the login, user:password, of the registry that `push_to`, else `image`, names: "
        "env:NAME, file:/path, prefect:block/name. Those of `docker login` when empty.",
    )

    @model_validator(mode="after")
    def _names_its_registry(self) -> Self:
        if self.registry_credentials and not (self.push_to or self.image):
            raise ValueError("registry_credentials are for the registry that `push_to` or `image` names: give one")
        return self
