"""What a flavor with an engine is made of, and what it can do."""

from abc import abstractmethod

from deployer import capabilities
from deployer.base import BaseModelDeployer
from deployer.config import ModelServerConfig, Resources
from deployer.engine import Engine
from deployer.environments.store import Environments
from deployer.gateway import Gateway
from deployer.images import Images
from deployer.rollout.steps import OnProgress, ignore
from deployer.runtimes.runtime import HERE, Place
from deployer.store import Store


class Flavor(BaseModelDeployer):
    """Its parts.

    Attributes:
        on_progress: called for each step, when it begins and when it is done; from several threads in reconcile.
        token: reference to the token that callers of its servers must show; empty where they need none.
        place: where its runtimes run.
        keep_models: how many revisions of each server keep their model's bytes.
    """

    on_progress: OnProgress = staticmethod(ignore)
    keep_models: int = 3
    token: str = ""
    place: Place = HERE

    @property
    @abstractmethod
    def engine(self) -> Engine:
        """What runs this flavor's workloads."""

    @property
    @abstractmethod
    def gateway(self) -> Gateway:
        """What gives its servers their URLs."""

    @property
    @abstractmethod
    def store(self) -> Store:
        """Where its models' bytes are."""

    @property
    def environments(self) -> Environments | None:
        """Where its isolated Python environments are; None for a flavor that has none."""
        return None

    @property
    def images(self) -> Images | None:
        """Where its container images are; None for a flavor that has none."""
        return None

    def check(self, config: ModelServerConfig) -> None:
        """Refuse what this flavor cannot fulfil, before anything is touched.

        Raises:
            Unsupported: it cannot.
        """
        capabilities.require_one_replica(self.FLAVOR, config)
        capabilities.require_memory_of_silence(self.FLAVOR, config, self.engine)
        if config.resources:
            self.check_resources(config.resources)

    def check_resources(self, resources: Resources) -> None:
        """Refuse what this flavor cannot give to a server of its own.

        Raises:
            Unsupported: it cannot.
        """
        raise capabilities.limits_nothing(self.FLAVOR)
