"""Settings of the memory flavor."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field


class MemorySettings(BaseModel):
    """Which of this process's platforms in memory."""

    model_config = ConfigDict(frozen=True, extra="forbid", title="Memory", protected_namespaces=())

    platform: str = Field(
        default="default", title="Platform", description="Deployers of one platform see the same servers."
    )
    model_store: Path | None = Field(
        default=None, title="Model store", description="Folder for models; a temporary one when empty."
    )
