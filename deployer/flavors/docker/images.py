"""The images that model servers are made of: named by their users and pulled, or built for the model."""

from dataclasses import dataclass
from pathlib import Path

from deployer.config import ModelServerConfig
from deployer.engine import Launch
from deployer.errors import ImageUnusable, InvalidConfig
from deployer.flavors.docker.building import Builder
from deployer.flavors.docker.connection import Connection
from deployer.flavors.docker.container import PORT, exposed_ports
from deployer.flavors.docker.context import REPOSITORY
from deployer.flavors.docker.pulling import Puller, Told
from deployer.flavors.docker.pushing import Pusher
from deployer.flavors.docker.refusals import refusals
from deployer.flavors.docker.stream import SERVES_ON
from deployer.records.record import Image
from deployer.rollout.steps import OnProgress
from deployer.rollout.wait import Deadline

ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm"}


@dataclass(frozen=True)
class DockerImages:
    """Those of one engine.

    Attributes:
        builder: for configs that name none, where there is no default.
        pusher: where what was built goes; None: it stays on the engine.
        default: the image of configs that name none.
    """

    connection: Connection
    puller: Puller
    builder: Builder
    pusher: Pusher | None = None
    default: str = ""

    def choose(
        self, config: ModelServerConfig, launch: Launch, model: Path, on_progress: OnProgress, deadline: Deadline
    ) -> Image:
        """See `deployer.images.Images.choose`."""
        reference = (config.docker.image if config.docker else "") or self.default
        if reference:
            told = self.puller.there(reference, _name(config), on_progress, deadline)
        elif self.builder.builds(config.runtime):
            reference, told = self._built(config, model, on_progress, deadline)
        else:
            raise InvalidConfig(
                f"The runtime {config.runtime} needs an image in the flavor docker.",
                hint="Name one in the config's section `docker`, or in the deployer's setting `image`.",
            )
        self._require_architecture(reference, told)
        return Image(reference=reference, id=told["Id"], port=_port(config, launch, reference, told))

    def bring_back(
        self, image: Image, config: ModelServerConfig, model: Path, on_progress: OnProgress, deadline: Deadline
    ) -> Image:
        """See `deployer.images.Images.bring_back`.

        One that was built is built anew. What the reference of one that was named means by now is another image.
        """
        if self.puller.inspected(image.id) is not None:
            return image
        if image.reference.startswith(f"{REPOSITORY}/"):
            tag, told = self._built(config, model, on_progress, deadline)
            return image.model_copy(update={"reference": tag, "id": told["Id"]})
        told = self.puller.there(image.reference, _name(config), on_progress, deadline)
        if told["Id"] != image.id:
            raise ImageUnusable(
                f"The image {image.reference} ({_short(image.id)}) can no longer be had: it is another one now.",
                serving="What serves now serves on.",
                hint="Bring that image back to the engine, or deploy the model again with the present one.",
            )
        return image

    def _built(
        self, config: ModelServerConfig, model: Path, on_progress: OnProgress, deadline: Deadline
    ) -> tuple[str, Told]:
        tag, told = self.builder.there(config, model, on_progress, deadline)
        if self.pusher:
            self.pusher.ensure(tag, told["Id"], _name(config), on_progress, deadline)
        return tag, told

    def _require_architecture(self, reference: str, told: Told) -> None:
        with refusals("the engine could not be asked what it is"):
            engine = self.connection.api.info()
        here = ARCHITECTURES.get(engine["Architecture"], engine["Architecture"])
        made_for, system = told.get("Architecture") or here, told.get("Os") or "linux"
        if (system, made_for) != ("linux", here):
            raise ImageUnusable(
                f"The image {reference} is for {system}/{made_for}; the engine runs linux/{here}.",
                serving=SERVES_ON,
                hint=f"Build it for linux/{here}: docker build --platform linux/{here}",
            )


def _name(config: ModelServerConfig) -> str:
    return config.name or config.model_name


def _port(config: ModelServerConfig, launch: Launch, reference: str, told: Told) -> int:
    """The config's, else ours where the command line takes one, else the only one that the image exposes."""
    if config.docker and config.docker.port:
        return config.docker.port
    if any("{port}" in word for word in launch.argv):
        return PORT
    exposed = exposed_ports(told)
    if len(exposed) == 1:
        return exposed[0]
    several = f"exposes the ports {', '.join(map(str, exposed))}" if exposed else "exposes no port"
    raise InvalidConfig(
        f"The image {reference} {several}, so it is not known on which its server listens.",
        hint="Set `port` in the config's section `docker`, or give a command line that takes {port}.",
    )


def _short(id: str) -> str:
    return id.removeprefix("sha256:")[:12]
