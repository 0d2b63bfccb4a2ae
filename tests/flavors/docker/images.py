"""What the tests of images ask for."""

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from deployer.config import Docker, ModelServerConfig
from deployer.engine import Launch
from deployer.flavors.docker.deployer import DockerModelDeployer
from deployer.flavors.docker.images import DockerImages
from deployer.flavors.docker.settings import DockerSettings
from deployer.records.record import Image
from deployer.rollout.steps import OnProgress, Progress, ignore
from deployer.rollout.wait import Deadline
from deployer.testing.docker import BASE_IMAGE, USUAL_BASE_IMAGE

BASE = os.environ.get(BASE_IMAGE) or USUAL_BASE_IMAGE
TAKES_PORT = Launch(argv=("serve", "{port}"), readiness_path="/")


def images(**settings: Any) -> DockerImages:
    """A deployer's own, whose builds reach what is on loopback."""
    asked = {"base_image": BASE, "build_network": "host"} | settings
    return DockerModelDeployer(DockerSettings(**asked)).images


@dataclass
class Asked:
    """A wish for an image, and what was told while it was met."""

    model: Path = Path("no model")
    seconds: float = 120
    launch: Launch = TAKES_PORT
    on_progress: OnProgress = ignore
    told: list[Progress] = field(default_factory=list)

    def image(self, of: DockerImages, reference: str = "", **config: Any) -> Image:
        docker = Docker(image=reference, port=config.pop("port", None))
        return of.choose(_config(docker, **config), self.launch, self.model, self._tell, Deadline(self.seconds))

    def image_again(self, of: DockerImages, image: Image, **config: Any) -> Image:
        """As for a rollback."""
        return of.bring_back(image, _config(None, **config), self.model, self._tell, Deadline(self.seconds))

    def _tell(self, progress: Progress) -> None:
        self.told.append(progress)
        self.on_progress(progress)

    @property
    def steps(self) -> list[str]:
        """The actions of those that were done."""
        return [str(progress.step.action) for progress in self.told if progress.seconds is not None]

    @property
    def lines(self) -> list[str]:
        return [progress.detail for progress in self.told]


def _config(docker: Docker | None, **fields: Any) -> ModelServerConfig:
    return ModelServerConfig(model_uri="/m", model_name="churn", docker=docker, **fields)
