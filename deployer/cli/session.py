"""What one call of the command works with: its deployer, and how it prints."""

import contextlib
import os
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING
from uuid import UUID

import typer

from deployer.errors import ServerNotFound, Unsupported

if TYPE_CHECKING:
    from deployer.base import BaseModelDeployer
    from deployer.engine_deployer import EngineModelDeployer
    from deployer.server import ModelServer

NAMES_IN_A_HINT = 10


@dataclass
class Session:
    """The global options, and the deployer that they name.

    Attributes:
        assignments: settings as `key=value`.
    """

    reference: str
    assignments: tuple[str, ...] = ()
    as_json: bool = False
    traceback: bool = False

    @cached_property
    def deployer(self) -> "BaseModelDeployer":
        from deployer.cli.settings import settings_of
        from deployer.references import load

        return load(self.reference, **settings_of(self.reference, self.assignments, os.environ))

    def engine_deployer(self, wish: str) -> "EngineModelDeployer":
        """The deployer, where it offers more than the contract's six methods.

        Raises:
            Unsupported: it does not.
        """
        from deployer.engine_deployer import EngineModelDeployer

        if not isinstance(self.deployer, EngineModelDeployer):
            raise Unsupported(
                f"The deployer {self.reference} offers no {wish}.",
                hint="It fulfils the six methods of the contract: deploy, list, describe, start, stop and delete.",
            )
        return self.deployer

    def server(self, wanted: str) -> "ModelServer":
        """The server of that UUID or exact name.

        Raises:
            ServerNotFound: there is none; the hint lists names that are near.
        """
        if uuid := uuid_in(wanted):
            for server in self.deployer.find_model_server(service_uuid=uuid):
                return server
        servers = self.deployer.find_model_server()
        name = unicodedata.normalize("NFC", wanted)
        for server in servers:
            if server.name == name:
                return server
        raise ServerNotFound(f"There is no model server {wanted!r}.", hint=_near(name, [s.name for s in servers]))

    @contextlib.contextmanager
    def steps_shown(self) -> Iterator[None]:
        """The deployer's steps are shown while they are carried out; not with JSON."""
        from deployer.engine_deployer import EngineModelDeployer

        if self.as_json or not isinstance(self.deployer, EngineModelDeployer):
            yield
            return
        from deployer.cli.progress import shown

        with shown() as tell:
            self.deployer.on_progress = tell
            yield


def session_of(ctx: typer.Context, as_json: bool) -> Session:
    """The session of this call, `--json` being accepted after the command too."""
    session: Session = ctx.obj
    session.as_json = session.as_json or as_json
    return session


def uuid_in(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def _near(name: str, names: list[str]) -> str:
    if not names:
        return "There are no model servers here; `model-deployer deploy NAME MODEL_URI` makes one."
    import difflib

    folded = {known.casefold(): known for known in names}
    near = [folded[match] for match in difflib.get_close_matches(name.casefold(), folded, n=3, cutoff=0.5)]
    if near:
        return f"Do you mean {' or '.join(map(repr, near))}?"
    left_out = len(names) - NAMES_IN_A_HINT
    more = f" and {left_out} more" if left_out > 0 else ""
    return f"There are: {', '.join(map(repr, names[:NAMES_IN_A_HINT]))}{more}."
