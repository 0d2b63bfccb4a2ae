"""Marks what a workload shall be: in its container's name, which alone can change and is listed."""

from dataclasses import dataclass

from deployer.engine import Ref, Wanted
from deployer.errors import EngineError, EngineUnavailable
from deployer.flavors.docker.containers import Containers
from deployer.flavors.docker.labels import container_name
from deployer.flavors.docker.notes import Kind, Notebook
from deployer.flavors.docker.refusals import AGAIN, Gone, NameTaken, refusals
from deployer.flavors.docker.rows import Row
from deployer.flavors.docker.starts import Starts

ATTEMPTS = 5


@dataclass(frozen=True)
class Marks:
    """Those of one engine's workloads."""

    containers: Containers
    notebook: Notebook
    starts: Starts

    def mark(self, ref: Ref, wanted: Wanted, cause: str) -> None:
        """See `deployer.engine.Engine.mark`; the cause is written down first, as it says nothing without the name."""
        for _ in range(ATTEMPTS):
            row = self.containers.row(ref)
            if row is None or (row.wanted is Wanted.REFUSED and wanted is not Wanted.REFUSED):
                return
            notes = self.notebook.of(ref)
            if wanted is Wanted.RUNNING:
                self.notebook.forget(notes.of(Kind.START))
            if notes.cause(wanted) != cause:
                self.notebook.add(ref, Kind.MARK, notes, {"wanted": wanted, "cause": cause})
            if wanted is not Wanted.RUNNING:
                self.starts.leave_down(row)
            if row.wanted is wanted or self._renamed(ref, row, wanted):
                return
        raise EngineUnavailable(f"{ref} could not be marked {wanted}: others mark it all the time", hint=AGAIN)

    def _renamed(self, ref: Ref, row: Row, wanted: Wanted) -> bool:
        """False where somebody was faster, or it is gone: who asks looks again."""
        name = container_name(ref.server, ref.revision, wanted)
        try:
            with refusals(f"{ref} could not be marked {wanted}"):
                self.containers.connection.api.rename(row.id, name)
        except Gone:
            return False
        except NameTaken as error:
            self._require_ours(ref, name, str(error))
            return False
        except EngineError as error:
            if "same name" not in error.what:
                raise
        return True

    def _require_ours(self, ref: Ref, name: str, said: str) -> None:
        row = self.containers.row(ref)
        if row and row.name != name and row.id not in said:
            what = f"{ref} could not be marked: another container is named {name}"
            raise EngineError(what, hint=f"Rename or remove that one: `docker ps -a --filter name={name}` shows it.")
