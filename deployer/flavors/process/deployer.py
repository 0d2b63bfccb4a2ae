"""The process flavor: model servers as processes of this machine, behind a Traefik of their own."""

from functools import cached_property
from pathlib import Path
from typing import ClassVar

from deployer import secrets
from deployer.config import Resources
from deployer.engine_deployer import EngineModelDeployer
from deployer.environments.store import Environments
from deployer.flavors.process import gpus
from deployer.flavors.process.engine import ProcessEngine
from deployer.flavors.process.resources import Devices, require_possible
from deployer.flavors.process.settings import ProcessSettings
from deployer.gateways.on_host import host_gateway
from deployer.gateways.traefik import TraefikGateway
from deployer.state_directory import usable_state_directory
from deployer.store import Store


class ProcessModelDeployer(EngineModelDeployer):
    """Serves models as processes bound to loopback; all it knows stands in its state directory.

    Attributes:
        devices: lists the GPUs that it may give to servers.
    """

    FLAVOR: ClassVar[str] = "process"
    SETTINGS = ProcessSettings
    devices: Devices = staticmethod(gpus.devices)

    def __init__(self, settings: ProcessSettings) -> None:
        self._settings = settings
        self.keep_models = settings.keep_models
        self.token = settings.token

    @property
    def settings(self) -> ProcessSettings:
        """What it was made with."""
        return self._settings

    def check_resources(self, resources: Resources) -> None:
        require_possible(resources, self.devices)

    @cached_property
    def state_dir(self) -> Path:
        """Where servers, models and routes stand.

        Raises:
            StateDirectoryUnusable: it cannot be written, or lies where locks do not hold.
        """
        return usable_state_directory(self._settings.state_dir)

    @cached_property
    def engine(self) -> ProcessEngine:
        paths, python_of = self.store.path, self.environments.python
        return ProcessEngine(self.state_dir / "workloads", paths, secrets.resolve, python_of, self.devices)

    @cached_property
    def gateway(self) -> TraefikGateway:
        return host_gateway(self.state_dir / "gateway", self._settings, TraefikGateway)

    @cached_property
    def store(self) -> Store:
        return Store(self.state_dir / "models")

    @cached_property
    def environments(self) -> Environments:
        return Environments(self.state_dir / "environments")
