"""Puts images that were built here into a registry, from where other machines have them."""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass

from deployer.errors import EngineError, EngineUnavailable
from deployer.flavors.docker.connection import ANSWERS_WITHIN_S, API, Connection
from deployer.flavors.docker.logins import HEADER, Logins
from deployer.flavors.docker.references import registry_of, split
from deployer.flavors.docker.refusals import AGAIN, refusals
from deployer.flavors.docker.stream import SERVES_ON, Call, OutOfTime, late, lines_of
from deployer.flavors.docker.telling import told_as
from deployer.rollout.steps import Action, OnProgress, Step
from deployer.rollout.wait import Deadline

LOGIN = "See the setting `push_to`, and whether `registry_credentials` leads to a login, user:password, that may push."
NO_LOGIN = "e30="
"""The engine wants the header in any case: an empty object."""
UNREACHED = ("connection refused", "no such host", "timeout", "network is unreachable", "EOF", "connection reset")


@dataclass(frozen=True)
class Pusher:
    """Into one repository of one registry.

    Attributes:
        repository: as in ghcr.io/us/models.
    """

    connection: Connection
    logins: Logins
    repository: str

    def name(self, tag: str) -> str:
        """What an image of ours, `repository:tag`, is called there."""
        kind, version = split(tag)
        return f"{self.repository}:{kind.rpartition('/')[2]}-{version}"

    def ensure(self, tag: str, id: str, name: str, on_progress: OnProgress, deadline: Deadline) -> None:
        """Push it where the registry lacks it, and tell of it as a step.

        Args:
            name: the server's.

        Raises:
            EngineError: the registry refuses it.
            EngineUnavailable: the engine, or the registry, does not answer.
            RolloutTimeout: it was not there in time.
        """
        if self._is_there(self.name(tag), deadline):
            return
        with told_as(Step(action=Action.BUILD, cause=f"pushed as {self.name(tag)}"), name, on_progress) as tell:
            self._push(tag, id, tell, deadline)

    def _is_there(self, name: str, deadline: Deadline) -> bool:
        """Where that cannot be told it is pushed, which tells why."""
        url = f"{self.connection.api.base_url}/v{API}/distribution/{name}/json"
        within_s = max(0.001, min(deadline.left_s, ANSWERS_WITHIN_S))
        with contextlib.suppress(EngineUnavailable), refusals(f"the registry could not be asked for {name}"):
            return self.connection.api.get(url, headers=self.logins.headers(name), timeout=within_s).ok
        return False

    def _push(self, tag: str, id: str, tell: Callable[[str], None], deadline: Deadline) -> None:
        name = self.name(tag)
        repository, version = split(name)
        with refusals(f"the image {tag} could not be tagged {name}"):
            self.connection.api.tag(id, repository, version)
        headers = self.logins.headers(name) or {HEADER: NO_LOGIN}
        call = Call(f"/images/{repository}/push", f"{name} could not be pushed", {"tag": version}, headers)
        try:
            with contextlib.closing(lines_of(self.connection, call, deadline)) as lines:
                for line in lines:
                    if "error" in line:
                        raise _refused(name, str(line["error"]))
                    tell(f"{line.get('id', '')} {line.get('status', '')}".strip())
        except OutOfTime:
            raise late(f"The image {name} was not pushed within {deadline.seconds:g} s.") from None


def _refused(name: str, why: str) -> EngineError | EngineUnavailable:
    if any(word in why for word in UNREACHED):
        what = f"{name} could not be pushed: {registry_of(name)} does not answer: {why}"
        return EngineUnavailable(what, serving=SERVES_ON, hint=AGAIN)
    return EngineError(f"{name} could not be pushed: {why}", serving=SERVES_ON, hint=LOGIN)
