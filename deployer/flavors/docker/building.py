"""Builds the images of models whose users name none: each once, tagged by what went into it."""

import json
import os
import secrets
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from deployer.config import ModelServerConfig
from deployer.environments.python_version import python_here
from deployer.errors import EngineError, EnvironmentFailed, ImageUnusable
from deployer.flavors.docker.built import Built
from deployer.flavors.docker.connection import Connection
from deployer.flavors.docker.context import DOCKERFILES, Context, context_of
from deployer.flavors.docker.pip_settings import proxies
from deployer.flavors.docker.pulling import Puller, Told
from deployer.flavors.docker.references import split
from deployer.flavors.docker.refusals import NO_SPACE
from deployer.flavors.docker.stream import SERVES_ON, Call, OutOfTime, late, lines_of
from deployer.flavors.docker.telling import told_as
from deployer.flavors.docker.transcript import Transcript
from deployer.rollout.steps import Action, OnProgress, Step
from deployer.rollout.wait import Deadline

FAILED = "The image for the model could not be built"
CORRECT_IT = (
    "Correct the model's requirements.txt, or where packages come from: PIP_… variables where the deployer runs; with "
    "`build_network: host` a build reaches what this machine reaches. What packages need of a system, as a compiler, "
    "must be in the `base_image`."
)


@dataclass(frozen=True)
class Builder:
    """Builds on one engine.

    Attributes:
        base: the image to build on; {python} stands for the model's version of Python.
        network: of what is run in a build; empty: the engine's usual.
    """

    connection: Connection
    puller: Puller
    base: str
    network: str = ""

    def builds(self, runtime: str) -> bool:
        """Whether there is a Dockerfile for it."""
        return runtime in DOCKERFILES

    def there(
        self, config: ModelServerConfig, model: Path, on_progress: OnProgress, deadline: Deadline
    ) -> tuple[str, Told]:
        """The tag of the model's image, and what the engine says of it; it is there once this returns.

        Raises:
            InvalidModel: what the model requires cannot be followed.
            ImageUnusable: the base cannot be had.
            EnvironmentFailed: the build fails.
            RolloutTimeout: it was not there in time.
        """
        context, name = context_of(config, model), config.name or config.model_name
        base = self._base(context, name, on_progress, deadline)
        tag = context.tag(base["Id"])
        if self.puller.inspected(tag) is None:
            step = Step(action=Action.BUILD, cause=f"an image with the model's requirements, {split(tag)[1][:12]}")
            with told_as(step, name, on_progress) as tell:
                self._build(context, base["Id"], tag, Transcript(tell), deadline)
        Built(self.connection).touch(tag)
        if told := self.puller.inspected(tag):
            return tag, told
        raise ImageUnusable(f"The image {tag} was built and is gone again.", serving=SERVES_ON)

    def _base(self, context: Context, name: str, on_progress: OnProgress, deadline: Deadline) -> Told:
        reference = self.base.replace("{python}", context.python or python_here())
        try:
            return self.puller.there(reference, name, on_progress, deadline)
        except ImageUnusable as error:
            hint = "Models' images are built on it: name another one in the setting `base_image`, or name a whole one."
            raise ImageUnusable(error.what, serving=error.serving, hint=hint) from None

    def _build(self, context: Context, base: str, tag: str, said: Transcript, deadline: Deadline) -> None:
        token = secrets.token_hex(8)
        call = Call("/build", FAILED, self._params(context, base, tag, token), _headers(), context.tar())
        try:
            with closing(lines_of(self.connection, call, deadline)) as lines:
                for line in lines:
                    said.take(line)
                    if "error" in line:
                        raise _failed(str(line["error"]), said)
        except OutOfTime:
            what = f"The image for the model was not built within {deadline.seconds:g} s."
            raise late(what, said.tail()) from None
        finally:
            Built(self.connection).clear_up(token)

    def _params(self, context: Context, base: str, tag: str, token: str) -> dict[str, str]:
        arguments = {"BASE": base, "PYTHON": context.python, "BUILD": token, **proxies(os.environ)}
        asked = {"t": tag, "rm": "1", "forcerm": "1", "version": "1", "buildargs": json.dumps(arguments)}
        return asked | ({"networkmode": self.network} if self.network else {})


def _headers() -> dict[str, str]:
    return {"Content-Type": "application/x-tar"}


def _failed(why: str, said: Transcript) -> EngineError | EnvironmentFailed:
    if "no space left on device" in f"{why}{said.tail()}".lower():
        return EngineError(f"{FAILED}: No space left on device", serving=SERVES_ON, hint=NO_SPACE)
    what = f"{FAILED}. The build says:"
    return EnvironmentFailed(what, serving=SERVES_ON, hint=CORRECT_IT, log_tail=said.tail(why))
