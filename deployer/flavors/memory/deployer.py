"""The memory flavor: all of a deployer that a third party has to write beside an engine and a gateway."""

import tempfile
from functools import cached_property
from pathlib import Path
from typing import ClassVar

from deployer.engine_deployer import EngineModelDeployer
from deployer.flavors.memory.engine import MemoryEngine
from deployer.flavors.memory.platform import MemoryPlatform
from deployer.flavors.memory.settings import MemorySettings
from deployer.gateways.memory import MemoryGateway
from deployer.store import Store


class MemoryModelDeployer(EngineModelDeployer):
    """Plays model servers in memory; nothing can be asked over a network."""

    FLAVOR: ClassVar[str] = "memory"
    SETTINGS = MemorySettings

    def __init__(self, settings: MemorySettings) -> None:
        self.platform = MemoryPlatform.named(settings.platform)
        self._settings = settings

    @cached_property
    def engine(self) -> MemoryEngine:
        return MemoryEngine(self.platform, self.store.path)

    @cached_property
    def gateway(self) -> MemoryGateway:
        return MemoryGateway(self.platform.routes)

    @cached_property
    def store(self) -> Store:
        return Store(self._settings.model_store or Path(tempfile.gettempdir()) / "prefect-model-deployer-memory")
