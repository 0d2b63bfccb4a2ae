"""What a flavor of containers offers beside an engine: images."""

from collections.abc import Set
from pathlib import Path
from typing import Protocol, runtime_checkable

from deployer.config import ModelServerConfig
from deployer.engine import Launch
from deployer.records.record import Image
from deployer.rollout.steps import OnProgress
from deployer.rollout.wait import Deadline


class Images(Protocol):
    """The container images of one platform."""

    def choose(
        self, config: ModelServerConfig, launch: Launch, model: Path, on_progress: OnProgress, deadline: Deadline
    ) -> Image:
        """The image that serves the model, there once this returns: it was, or is pulled or built.

        Raises:
            InvalidConfig: the config names none that will do.
            ImageUnusable: it cannot be had, or does not run there.
            RolloutTimeout: it was not there in time.
        """
        ...

    def bring_back(
        self, image: Image, config: ModelServerConfig, model: Path, on_progress: OnProgress, deadline: Deadline
    ) -> Image:
        """The image of an earlier revision, there once this returns.

        Raises:
            ImageUnusable, RolloutTimeout: it can no longer be had.
        """
        ...


@runtime_checkable
class CollectsImages(Protocol):
    """An engine that has container images which were built for models."""

    def collect_images(self, keep: Set[str]) -> None:
        """Remove those that are not in `keep`, by their ids, and that nobody has needed for a day."""
        ...
