"""What changes of a workload and its container cannot say: why it is marked so, its starts, its silence.

Labels cannot change, so each note is an empty volume of its own: made in one instant, told by one list of the engine's,
and never changed. Those of a workload go with it.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from deployer.engine import Ref, Wanted
from deployer.flavors.docker import labels
from deployer.flavors.docker.connection import Connection
from deployer.flavors.docker.refusals import gone_is_fine, refusals


class Kind(StrEnum):
    """What a note tells."""

    MARK = "mark"
    START = "start"
    SILENCE = "silence"


@dataclass(frozen=True)
class Note:
    """One note.

    Attributes:
        number: from 1, of its kind.
    """

    volume: str
    kind: Kind
    number: int
    value: Mapping[str, Any]


@dataclass(frozen=True)
class Notes:
    """All notes of one workload."""

    all: tuple[Note, ...] = ()

    def of(self, kind: Kind) -> list[Note]:
        return sorted((note for note in self.all if note.kind is kind), key=lambda note: note.number)

    def cause(self, wanted: Wanted) -> str:
        """Why it is marked so; empty where nobody wrote it down."""
        told = [str(note.value.get("cause", "")) for note in self.of(Kind.MARK) if note.value.get("wanted") == wanted]
        return told[-1] if told else ""

    @property
    def starts(self) -> int:
        return len(self.of(Kind.START))

    def silent_since(self, run: str) -> float | None:
        """The engine's time from which on that run of it has been silent."""
        told = [float(note.value["since"]) for note in self.of(Kind.SILENCE) if note.value.get("run") == run]
        return told[-1] if told else None


NO_NOTES = Notes()


@dataclass(frozen=True)
class Notebook:
    """The notes of one engine's workloads."""

    connection: Connection
    _failure: str = field(default="the notes could not be read or written", repr=False)

    def read(self, server: str | None = None) -> dict[str, Notes]:
        """Those of all workloads, or of one server's, by token."""
        asked = [labels.NOTE, *([f"{labels.SERVER}={server}"] if server else [])]
        with refusals(self._failure):
            found = self.connection.api.volumes(filters={"label": asked}).get("Volumes") or []
        kept = defaultdict[str, list[Note]](list)
        for volume in found:
            if note := _note(volume["Name"], volume.get("Labels") or {}):
                kept[volume["Labels"][labels.NOTE]].append(note)
        return {token: Notes(tuple(notes)) for token, notes in kept.items()}

    def of(self, ref: Ref) -> Notes:
        """Those of one workload."""
        return self.read(ref.server).get(ref.token, NO_NOTES)

    def add(self, ref: Ref, kind: Kind, present: Notes, value: Mapping[str, Any] | None = None) -> None:
        """Write one more of that kind; of several who do so at once one is enough."""
        number = 1 + max([note.number for note in present.of(kind)], default=0)
        told = {
            labels.NOTE: ref.token,
            labels.SERVER: ref.server,
            labels.KIND: f"{kind}-{number}",
            labels.VALUE: json.dumps(dict(value or {})),
        }
        with refusals(self._failure):
            self.connection.api.create_volume(f"{ref}-{ref.token[:8]}-{kind}-{number}", labels=told)

    def forget(self, notes: Iterable[Note]) -> None:
        """Remove those."""
        for note in notes:
            with gone_is_fine(), refusals(self._failure):
                self.connection.api.remove_volume(note.volume)


def _note(volume: str, told: Mapping[str, str]) -> Note | None:
    kind, _, number = told.get(labels.KIND, "").partition("-")
    try:
        value = json.loads(told.get(labels.VALUE, "{}"))
        return Note(volume, Kind(kind), int(number), value) if isinstance(value, dict) else None
    except ValueError:
        return None
