"""The images that model servers are made of: named by their users, pulled where the engine lacks them."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deployer.config import ModelServerConfig
from deployer.engine import Launch
from deployer.errors import EngineError, EngineUnavailable, ImageUnusable, InvalidConfig, RolloutTimeout
from deployer.flavors.docker.connection import Connection
from deployer.flavors.docker.container import PORT, exposed_ports
from deployer.flavors.docker.refusals import Gone, refusals
from deployer.records.record import Image
from deployer.rollout.steps import Action, OnProgress, Progress, Step
from deployer.rollout.wait import Deadline

ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm"}
SERVES_ON = "What served before serves on; nothing was changed."
Told = Mapping[str, Any]


@dataclass(frozen=True)
class DockerImages:
    """Those of one engine.

    Attributes:
        default: the image of configs that name none.
    """

    connection: Connection
    default: str = ""

    def choose(
        self, config: ModelServerConfig, launch: Launch, model: Path, on_progress: OnProgress, deadline: Deadline
    ) -> Image:
        """See `deployer.images.Images.choose`."""
        reference = (config.docker.image if config.docker else "") or self.default
        if not reference:
            raise InvalidConfig(
                f"The runtime {config.runtime} needs an image in the flavor docker.",
                hint="Name one in the config's section `docker`, or in the deployer's setting `image`.",
            )
        told = self._there(reference, config, on_progress, deadline)
        self._require_architecture(reference, told)
        return Image(reference=reference, id=told["Id"], port=_port(config, launch, reference, told))

    def bring_back(
        self, image: Image, config: ModelServerConfig, model: Path, on_progress: OnProgress, deadline: Deadline
    ) -> Image:
        """See `deployer.images.Images.bring_back`; what its reference means by now is another image."""
        if self._inspected(image.id) is None:
            told = self._there(image.reference, config, on_progress, deadline)
            if told["Id"] != image.id:
                raise ImageUnusable(
                    f"The image {image.reference} ({_short(image.id)}) can no longer be had: it is another one now.",
                    serving="What serves now serves on.",
                    hint="Bring that image back to the engine, or deploy the model again with the present one.",
                )
        return image

    def _there(self, reference: str, config: ModelServerConfig, on_progress: OnProgress, deadline: Deadline) -> Told:
        """What the engine says of the image, pulled if it is not there."""
        if told := self._inspected(reference):
            return told
        name = config.name or config.model_name
        step, began = Step(action=Action.FETCH, cause=f"the image {reference} is pulled"), time.monotonic()
        on_progress(Progress(name, step))
        self._pull(reference, lambda detail: on_progress(Progress(name, step, detail=detail)), deadline)
        on_progress(Progress(name, step, time.monotonic() - began))
        if told := self._inspected(reference):
            return told
        raise ImageUnusable(f"The image {reference} was pulled and is gone again.", serving=SERVES_ON)

    def _inspected(self, reference: str) -> Told | None:
        try:
            with refusals(f"the image {reference} could not be looked at"):
                found: Told = self.connection.api.inspect_image(reference)  # type: ignore[no-untyped-call]
                return found
        except Gone:
            return None

    def _pull(self, reference: str, tell: Callable[[str], None], deadline: Deadline) -> None:
        try:
            with refusals(f"The image {reference} cannot be had"):
                for line in self.connection.api.pull(*_split(reference), stream=True, decode=True):
                    if "error" in line:
                        raise _not_had(reference, str(line["error"]))
                    if deadline.passed:
                        what = f"The image {reference} was not pulled within {deadline.seconds:g} s."
                        raise RolloutTimeout(what, serving=SERVES_ON, hint="Give it more time, or pull it beforehand.")
                    tell(str(line.get("status", "")))
        except Gone as gone:
            raise _not_had(reference, str(gone)) from None
        except EngineUnavailable:
            raise
        except EngineError as error:
            raise _not_had(reference, error.what.partition(": ")[2]) from None

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


def _split(reference: str) -> tuple[str, str | None]:
    """Repository and tag; a digest stays with its repository."""
    if "@" in reference:
        return reference, None
    repository, colon, tag = reference.rpartition(":")
    return (repository, tag) if colon and "/" not in tag else (reference, "latest")


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


def _not_had(reference: str, why: str) -> ImageUnusable:
    hint = "See its name and tag; `docker pull` as the engine's user shows whether it may be had, `docker login` helps."
    return ImageUnusable(f"The image {reference} cannot be had: {why}", serving=SERVES_ON, hint=hint)


def _short(id: str) -> str:
    return id.removeprefix("sha256:")[:12]
