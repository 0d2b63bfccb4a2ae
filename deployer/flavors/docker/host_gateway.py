"""The gateway of an engine of this machine: one process, of whichever state directory claimed it first."""

import json
from pathlib import Path
from typing import Any

from deployer.errors import EngineError
from deployer.flavors.docker import labels
from deployer.flavors.docker.connection import Connection
from deployer.flavors.docker.refusals import Gone, gone_is_fine, refusals
from deployer.gateway import Split, Tag
from deployer.gateways.traefik import TraefikGateway
from deployer.processes.held import HeldProcess

CLAIM = "model-deployer-gateway"
ATTEMPTS = 3


class HostGateway(TraefikGateway):
    """As every Traefik of the host; but all who serve by one engine must write the routes of one.

    Who it is stands on the engine, as the label of an empty volume. A gateway that does not run any more loses it to
    the next that is asked to run.

    Args:
        gateway, named: arguments of the base.
    """

    def __init__(self, connection: Connection, *gateway: Any, **named: Any) -> None:
        super().__init__(*gateway, **named)
        self._connection = connection

    def ensure(self) -> None:
        """See the base.

        Raises:
            EngineError: that of another state directory runs.
        """
        self._claim()
        super().ensure()

    def write(self, server: str, split: Split, high: int, seen: Tag) -> Tag:
        self.require_no_other()
        return super().write(server, split, high, seen)

    def remove(self, server: str, seen: Tag) -> None:
        self.require_no_other()
        super().remove(server, seen)

    def shutdown(self, grace_s: float = 10) -> None:
        super().shutdown(grace_s)
        if self._claimed_by() == self.folder:
            with gone_is_fine(), refusals("the gateway could not be given up"):
                self._connection.api.remove_volume(CLAIM)

    def _claim(self) -> None:
        for _ in range(ATTEMPTS):
            present = self.require_no_other()
            if present == self.folder:
                return
            with gone_is_fine(), refusals("the gateway could not be claimed"):
                if present:
                    self._connection.api.remove_volume(CLAIM)
                told = {labels.GATEWAY: json.dumps(str(self.folder))}
                self._connection.api.create_volume(CLAIM, labels=told)
        raise EngineError(
            "The engine's gateway is claimed by another again and again.", hint="Use one state directory."
        )

    def require_no_other(self) -> Path | None:
        """Whose it is, if anybody's; another one's must not run.

        Raises:
            EngineError: it does.
        """
        folder = self._claimed_by()
        if folder and folder != self.folder and HeldProcess(folder / "proxy").held():
            raise EngineError(
                f"This engine's gateway runs already, for another state directory: {folder}.",
                serving="All that serves goes on.",
                hint=f"Use that one (state_dir is the folder that holds {'/'.join(folder.parts[-3:])}), or end its "
                "gateway first: all URLs change then.",
            )
        return folder

    def _claimed_by(self) -> Path | None:
        try:
            with refusals("the gateway's owner could not be looked up"):
                told: dict[str, Any] = self._connection.api.inspect_volume(CLAIM)
            return Path(json.loads((told.get("Labels") or {})[labels.GATEWAY]))
        except (Gone, KeyError, ValueError):
            return None
