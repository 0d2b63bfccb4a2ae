"""What reconcile removes at its end: what no record and no kept history names."""

from collections.abc import Sequence
from dataclasses import dataclass

from deployer import registry
from deployer.engine import Engine, KeepsModels, Sweeps, hides_names
from deployer.environments.store import Environments
from deployer.errors import DeployerError
from deployer.images import CollectsImages
from deployer.rollout.view import ServerView
from deployer.store import Store


@dataclass(frozen=True)
class ClearUp:
    """Of one deployer.

    Attributes:
        environments: None for a flavor that has none.
    """

    engine: Engine
    store: Store
    environments: Environments | None

    def after(self, views: Sequence[ServerView], keep_models: int) -> str:
        """Remove models, environments and images that nobody has touched for a day.

        Args:
            views: all servers. A look from before will do: who made a revision since has touched what it needs.

        Returns:
            What kept it from that, in words.
        """
        try:
            self._remove_what_is_left(views, keep_models)
        except (DeployerError, OSError) as error:
            return f"What is left over was not removed: {error}"
        return ""

    def _remove_what_is_left(self, views: Sequence[ServerView], keep_models: int) -> None:
        if isinstance(self.engine, Sweeps):
            self.engine.sweep()
        if isinstance(self.engine, CollectsImages) and not hides_names(self.engine):
            self.engine.collect_images(registry.kept_images(views, keep_models))
        models = registry.kept_digests(views, keep_models)
        environments = registry.kept_environments(views, keep_models) if self.environments else set()
        if self._has_others(models, environments) and hides_names(self.engine):
            return
        self.store.collect(models)
        if isinstance(self.engine, KeepsModels):
            self.engine.collect_models(models)
        if self.environments:
            self.environments.collect(environments)

    def _has_others(self, models: set[str], environments: set[str]) -> bool:
        built = self.environments
        return bool(self.store.unnamed(models)) or (built is not None and bool(built.unnamed(environments)))
