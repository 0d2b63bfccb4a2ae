"""The contract that every deployer fulfils."""

from abc import ABC, abstractmethod
from typing import ClassVar
from uuid import UUID

from pydantic import BaseModel

from deployer.config import ModelServerConfig
from deployer.server import ModelServer


class BaseModelDeployer(ABC):
    """Puts models behind URLs on one platform, and finds again what it put there.

    A third party's flavor writes these six methods, or only an `Engine`, and inherits the six
    from `EngineModelDeployer`.
    """

    FLAVOR: ClassVar[str]
    SETTINGS: ClassVar[type[BaseModel]]

    @abstractmethod
    def deploy_model(self, config: ModelServerConfig, replace: bool = False, timeout: int = 300) -> ModelServer:
        """Put a model behind a URL and return once it serves there.

        Args:
            config: what the model server should be.
            replace: make this the next revision of the equivalent server, which keeps its UUID and
                URL and serves its old revision until the new one is ready; without it, a new server.
            timeout: seconds until the new revision must take traffic; 0 starts the work and returns.

        Raises:
            RolloutError: the new revision does not serve; the old one, if any, does.
            ServerAlreadyExists: without `replace`, the name asked for is taken.
            ModelError: the model cannot be had, or not be served.
            InvalidRequest: the config cannot be met; nothing was touched.
        """

    @staticmethod
    def get_model_server_info(server: ModelServer) -> dict[str, str | None]:
        """What identifies a server and what serves there, as text; None where nothing is known. No I/O."""
        provenance = server.provenance
        return {
            "uuid": str(server.uuid),
            "name": server.name,
            "url": server.url,
            "prediction_url": server.prediction_url,
            "state": str(server.state),
            "message": server.message or None,
            "revision": str(server.revision),
            "model_name": server.config.model_name or None,
            "model_uri": server.config.model_uri,
            "model_type": server.model_type or None,
            "digest": server.digest,
            "pipeline_name": provenance.pipeline_name or None,
            "pipeline_run_id": provenance.pipeline_run_id or None,
            "pipeline_step_name": provenance.pipeline_step_name or None,
        }

    @abstractmethod
    def find_model_server(
        self,
        running: bool = False,
        service_uuid: UUID | None = None,
        pipeline_name: str | None = None,
        pipeline_run_id: str | None = None,
        pipeline_step_name: str | None = None,
        model_name: str | None = None,
        model_uri: str | None = None,
        model_type: str | None = None,
    ) -> list[ModelServer]:
        """All model servers that match every filter given, newest first.

        Args:
            running: only those that pass their health check now; who does not answer at once is left out.
        """

    @abstractmethod
    def stop_model_server(self, uuid: UUID, timeout: int = 300, force: bool = False) -> None:
        """Stop a server; it keeps its UUID, its URL (which answers 503) and all it needs to start again.

        Args:
            timeout: seconds until it must have stopped; 0 waits for nothing but its drain and its grace.
            force: kill it, without draining or grace, also while the gateway is down.

        Raises:
            ServerNotFound: no server has that UUID.
        """

    @abstractmethod
    def start_model_server(self, uuid: UUID, timeout: int = 300) -> None:
        """Start a stopped or failed server and return once it serves at its URL.

        Raises:
            ServerNotFound: no server has that UUID.
        """

    @abstractmethod
    def delete_model_server(self, uuid: UUID, timeout: int = 300, force: bool = False) -> None:
        """Remove a server, its revisions and its route for good.

        Args:
            timeout: seconds until it must be gone; 0 waits for nothing but its drain and its grace.
            force: kill it without draining; an unknown UUID is no error.

        Raises:
            ServerNotFound: no server has that UUID.
        """
