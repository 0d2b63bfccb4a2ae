"""The docker flavor: model servers as containers, behind a Traefik of their own."""

import hashlib
from functools import cached_property, partial
from pathlib import Path
from typing import ClassVar
from uuid import UUID

from deployer import secrets
from deployer.config import ModelServerConfig, Resources
from deployer.engine_deployer import EngineModelDeployer
from deployer.flavors.docker.building import Builder
from deployer.flavors.docker.connection import USUAL, Connection
from deployer.flavors.docker.engine import DockerEngine
from deployer.flavors.docker.host_gateway import HostGateway
from deployer.flavors.docker.images import DockerImages
from deployer.flavors.docker.logins import Logins
from deployer.flavors.docker.network import Network
from deployer.flavors.docker.possible import require_possible
from deployer.flavors.docker.pulling import Puller
from deployer.flavors.docker.pushing import Pusher
from deployer.flavors.docker.references import registry_of
from deployer.flavors.docker.settings import DockerSettings
from deployer.gateways.on_host import host_gateway
from deployer.runtimes.runtime import IN_IMAGE
from deployer.state_directory import usable_state_directory
from deployer.store import Store

DEFAULT_PORT = 8401


class DockerModelDeployer(EngineModelDeployer):
    """Serves models as containers of one engine; all that it knows of them stands in their labels."""

    FLAVOR: ClassVar[str] = "docker"
    SETTINGS = DockerSettings
    place = IN_IMAGE

    def __init__(self, settings: DockerSettings) -> None:
        self._settings = settings
        self.keep_models = settings.keep_models
        self.token = settings.token

    @property
    def settings(self) -> DockerSettings:
        """What it was made with."""
        return self._settings

    def check(self, config: ModelServerConfig) -> None:
        self.connection.require_here()
        super().check(config)

    def stop_model_server(self, uuid: UUID, timeout: int = 300, force: bool = False) -> None:
        self.gateway.require_no_other()  # Its route would go on leading to what is stopped.
        super().stop_model_server(uuid, timeout, force)

    def delete_model_server(self, uuid: UUID, timeout: int = 300, force: bool = False) -> None:
        self.gateway.require_no_other()
        super().delete_model_server(uuid, timeout, force)

    def check_resources(self, resources: Resources) -> None:
        require_possible(resources, self.connection)

    @cached_property
    def connection(self) -> Connection:
        """The engine's API."""
        folder = self._settings.tls_folder
        return Connection(self._settings.docker_host, folder.expanduser().absolute() if folder else None)

    @cached_property
    def state_dir(self) -> Path:
        """Where routes and fetched models stand: a folder of its own for each engine.

        Raises:
            StateDirectoryUnusable: it cannot be written, or lies where locks do not hold.
        """
        url = self.connection.url
        name = "local" if url == USUAL else hashlib.sha256(url.encode()).hexdigest()[:12]
        directory = usable_state_directory(self._settings.state_dir) / "docker" / name
        return usable_state_directory(directory)

    @cached_property
    def engine(self) -> DockerEngine:
        network = Network(self.connection, self._settings.subnet)
        return DockerEngine(self.connection, network, self.store.path, secrets.resolve)

    @cached_property
    def gateway(self) -> HostGateway:
        kind = partial(HostGateway, self.connection)
        return host_gateway(self.state_dir / "gateway", self._settings, kind, DEFAULT_PORT)

    @cached_property
    def store(self) -> Store:
        return Store(self.state_dir / "models")

    @cached_property
    def images(self) -> DockerImages:
        asked, logins = self._settings, self._logins
        puller = Puller(self.connection, logins)
        builder = Builder(self.connection, puller, asked.base_image, asked.build_network)
        pusher = Pusher(self.connection, logins, asked.push_to) if asked.push_to else None
        return DockerImages(self.connection, puller, builder, pusher, asked.image)

    @property
    def _logins(self) -> Logins:
        asked = self._settings
        if not asked.registry_credentials:
            return Logins(self.connection)
        login = partial(secrets.resolved, "the registry's login", asked.registry_credentials)
        return Logins(self.connection, registry_of(asked.push_to or asked.image), login)
