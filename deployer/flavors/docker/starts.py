"""Starts and ends a workload's container."""

import math
from dataclasses import dataclass
from typing import Any, Literal, cast

from deployer.config import Probes
from deployer.engine import Phase, Ref, Wanted
from deployer.errors import DevicesTaken, EngineError, EngineUnavailable
from deployer.flavors.docker.containers import Containers
from deployer.flavors.docker.network import NAME as NETWORK
from deployer.flavors.docker.network import Network
from deployer.flavors.docker.notes import Kind, Notebook, Notes
from deployer.flavors.docker.refusals import AGAIN, Gone, gone_is_fine, refusals
from deployer.flavors.docker.rows import Row

STABLE_S = 600.0
"""A run of so many seconds has its starts counted anew."""
ATTEMPTS = 3
BEYOND_GRACE_S = 30
RUNS = ("running", "paused", "restarting")
"""What the engine runs, or is about to."""
NO_GPU = "could not select device driver"


@dataclass(frozen=True)
class Starts:
    """Of one engine's workloads."""

    containers: Containers
    notebook: Notebook
    network: Network

    def start(self, ref: Ref) -> None:
        """See `deployer.engine.Engine.start`; each try is counted before it is made."""
        row = self.containers.row(ref)
        if row is None or row.wanted is not Wanted.RUNNING or row.state in RUNS:
            return
        notes = self._recent(row, self.notebook.of(ref))
        self.notebook.add(ref, Kind.START, notes)
        for _ in range(ATTEMPTS):
            try:
                with refusals(f"{ref} could not be started"):
                    self.containers.connection.api.start(row.id)
                return
            except Gone as gone:
                if self.containers.row(ref) is None:
                    return
                self._join_again(ref, row, str(gone))
            except EngineError as error:
                self._mend(ref, row, error)
        raise EngineUnavailable(f"{ref} could not be started: its network or address changes all the time", hint=AGAIN)

    def stop(self, ref: Ref, grace_s: float) -> None:
        """See `deployer.engine.Engine.stop`."""
        row = self.containers.row(ref)
        if row is None:
            return
        self.notebook.forget(self.notebook.of(ref).of(Kind.START))
        if row.state in RUNS:
            self.end(row, grace_s)

    def end(self, row: Row, grace_s: float) -> None:
        """End a container's run; the engine counts whole seconds of grace."""
        api = self.containers.connection.api
        with gone_is_fine(), refusals(f"{row.name} could not be stopped"):
            if row.state == "paused":  # A signal reaches nobody who is frozen.
                api.unpause(row.id)
            api.stop(row.id, timeout=math.ceil(grace_s))

    def set_policy(self, row: Row, policy: Literal["no", "unless-stopped"]) -> None:
        """Whether the engine brings it back by itself."""
        with gone_is_fine(), refusals(f"the restart policy of {row.name} could not be set"):
            self.containers.connection.api.update_container(
                row.id, restart_policy=cast(Any, {"Name": policy, "MaximumRetryCount": 0})
            )

    def leave_down(self, row: Row) -> None:
        """Have the engine never bring it back, be it about to."""
        self.set_policy(row, "no")
        if row.state == "restarting":
            self.end(row, 0)

    def _recent(self, row: Row, notes: Notes) -> Notes:
        """The notes without the starts before a run that was long."""
        run = self.containers.run(row) if row.phase is Phase.ENDED else None
        described = self.containers.described(row)
        probes = Probes() if isinstance(described, str) else described.record.config.probes or Probes()
        if run and run.finished - run.started > max(STABLE_S, probes.startup_s):
            self.notebook.forget(notes.of(Kind.START))
        return notes

    def _mend(self, ref: Ref, row: Row, error: EngineError) -> None:
        """What can be mended of a refusal.

        Raises:
            EngineError: nothing can.
        """
        if "Address already in use" in error.what or ("network" in error.what and "not found" in error.what):
            self._join_again(ref, row, error.what)
            return
        if NO_GPU in error.what:
            what = f"{ref} could not be started: the engine has no GPU to give, or lacks NVIDIA's container toolkit"
            raise DevicesTaken(what, hint="Install it on the engine's machine, or set resources.gpu to 0.") from None
        raise error

    def _join_again(self, ref: Ref, row: Row, why: str) -> None:
        """Give it another address of our network, whose route reconcile then follows."""
        api = self.containers.connection.api
        address = self.network.free_address({other.address for other in self.containers.rows()})
        with refusals(f"{ref} could not be given an address ({why})"):
            with gone_is_fine(), refusals(why):
                api.disconnect_container_from_network(row.id, NETWORK, force=True)
            api.connect_container_to_network(row.id, NETWORK, ipv4_address=address)
