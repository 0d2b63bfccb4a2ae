"""Brings an image that the engine lacks."""

from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from deployer.errors import EngineError, EngineUnavailable, ImageUnusable, InvalidConfig
from deployer.flavors.docker.connection import Connection
from deployer.flavors.docker.logins import Logins
from deployer.flavors.docker.references import split
from deployer.flavors.docker.refusals import Gone, refusals
from deployer.flavors.docker.stream import SERVES_ON, Call, OutOfTime, late, lines_of
from deployer.flavors.docker.telling import told_as
from deployer.rollout.steps import Action, OnProgress, Step
from deployer.rollout.wait import Deadline

NO_NAME = "invalid reference format"
HOW_NAMED = "Name it as in ghcr.io/us/model:1, all in lower case but for the tag."
Told = Mapping[str, Any]
SEE = "See its name and tag; `docker pull` as the engine's user shows whether it may be had, `docker login` helps."


@dataclass(frozen=True)
class Puller:
    """Asks registries, and logs in where they ask for that."""

    connection: Connection
    logins: Logins

    def there(self, reference: str, name: str, on_progress: OnProgress, deadline: Deadline) -> Told:
        """What the engine says of the image, pulled if it is not there.

        Args:
            name: the server's.

        Raises:
            ImageUnusable, EngineUnavailable, RolloutTimeout: as `pull`.
        """
        if told := self.inspected(reference):
            return told
        step = Step(action=Action.FETCH, cause=f"the image {reference} is pulled")
        with told_as(step, name, on_progress) as tell:
            self.pull(reference, tell, deadline)
        if told := self.inspected(reference):
            return told
        raise ImageUnusable(f"The image {reference} was pulled and is gone again.", serving=SERVES_ON)

    def inspected(self, reference: str) -> Told | None:
        """What the engine says of it; None where it lacks it.

        Raises:
            InvalidConfig: it is no name of an image.
        """
        try:
            with refusals(f"the image {reference} could not be looked at"):
                found: Told = self.connection.api.inspect_image(reference)  # type: ignore[no-untyped-call]
                return found
        except Gone:
            return None
        except EngineError as error:
            if NO_NAME in error.what:
                raise InvalidConfig(f"{reference!r} is no name of an image.", hint=HOW_NAMED) from None
            raise

    def pull(self, reference: str, tell: Callable[[str], None], deadline: Deadline) -> None:
        """Have the engine pull it; its lines are told.

        Raises:
            ImageUnusable: it cannot be had.
            EngineUnavailable: the engine does not answer.
            RolloutTimeout: it was not here in time.
        """
        repository, tag = split(reference)
        headers = self.logins.headers(reference)
        params = {"fromImage": repository, "tag": tag}
        call = Call("/images/create", f"The image {reference} cannot be had", params, headers)
        try:
            with closing(lines_of(self.connection, call, deadline)) as lines:
                for line in lines:
                    if "error" in line:
                        raise not_had(reference, str(line["error"]))
                    tell(str(line.get("status", "")))
        except OutOfTime:
            raise late(f"The image {reference} was not pulled within {deadline.seconds:g} s.") from None
        except Gone as gone:
            raise not_had(reference, str(gone)) from None
        except EngineUnavailable:
            raise
        except EngineError as error:
            raise not_had(reference, error.what.partition(": ")[2]) from None


def not_had(reference: str, why: str) -> ImageUnusable:
    """It cannot be had."""
    return ImageUnusable(f"The image {reference} cannot be had: {why}", serving=SERVES_ON, hint=SEE)
