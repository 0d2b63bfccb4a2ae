"""The workloads of one engine, from its list of containers, its notes, and a look at those that are young."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from pydantic import ValidationError

from deployer.engine import Ending, Launch, Phase, Ref, Unreadable, Wanted, Workload
from deployer.flavors.docker import labels
from deployer.flavors.docker.connection import Connection, instant
from deployer.flavors.docker.container import launch_in, record_in
from deployer.flavors.docker.network import NAME as NETWORK
from deployer.flavors.docker.notes import NO_NOTES, Notebook, Notes
from deployer.flavors.docker.refusals import Gone, refusals
from deployer.flavors.docker.rows import Row, as_exit_code, row_of
from deployer.processes.ending import in_words
from deployer.records.names import server_of, workload_name
from deployer.records.record import Record

POLICY: Final = "unless-stopped"
"""By which the engine brings back what ends, and what it finds ended when it starts itself."""
YOUNG_S = 600.0
"""The engine tells ages ever more roughly; what is younger is looked at by itself."""


@dataclass(frozen=True)
class Described:
    """What never changes of a container: its labels, read once."""

    record: Record
    launch: Launch


@dataclass(frozen=True)
class Run:
    """A container's present or last run, as looking at it tells."""

    started: float
    finished: float
    exit_code: int
    out_of_memory: bool
    error: str
    kept_alive: bool = True

    @property
    def name(self) -> str:
        """Tells it from every other run of the same container."""
        return f"{self.started:.6f}"


@dataclass
class Containers:
    """Reads what is there; changes nothing."""

    connection: Connection
    notebook: Notebook
    _described: dict[str, Described | str] = field(default_factory=dict)
    _seen: dict[str, Row] = field(default_factory=dict)

    def rows(self, server: str | None = None) -> list[Row]:
        """All containers that claim to be workloads of ours, or of one server, in one call."""
        asked = [labels.RECORD, *([f"{labels.SERVER}={server}"] if server else [])]
        with refusals("the containers could not be listed"):
            found = self.connection.api.containers(all=True, filters={"label": asked})
        rows = [row_of(told, NETWORK) for told in found]
        if server is None:
            self._forget_all_but({row.id for row in rows})
        self._seen = {**({} if server is None else self._seen), **{row.token: row for row in rows}}
        return rows

    def seen(self, workloads: Iterable[Workload]) -> dict[str, Row]:
        """The rows of what was listed just now, by token; listed again where one of them was not."""
        tokens = {workload.record.token for workload in workloads}
        if not tokens <= self._seen.keys():
            self.rows()
        return {token: self._seen[token] for token in tokens & self._seen.keys()}

    def row(self, ref: Ref) -> Row | None:
        """The workload's container; None where it is gone."""
        with refusals(f"{ref} could not be looked for"):
            found = self.connection.api.containers(all=True, filters={"label": [f"{labels.TOKEN}={ref.token}"]})
        rows = (row_of(told, NETWORK) for told in found)
        return next((row for row in rows if isinstance(self.described(row), Described)), None)

    def workloads(self, server: str | None = None) -> list[Workload]:
        """Those that can be read; of two with one number the older alone."""
        readable = self.chosen(self.rows(server))
        noted = self.notebook.read(server) if any(self._needs_notes(row, what) for row, what in readable) else {}
        now = self.connection.now()
        found = (self._workload(row, what, noted.get(row.token, NO_NOTES), now) for row, what in readable)
        return sorted(filter(None, found), key=lambda workload: (workload.record.server, workload.revision))

    def unreadable(self) -> list[Unreadable]:
        """Containers that claim to be ours and do not read as such."""
        told = ((row, self.described(row)) for row in self.rows())
        return [Unreadable(row.name, what, server_of(row.workload)) for row, what in told if isinstance(what, str)]

    def chosen(self, rows: Iterable[Row]) -> list[tuple[Row, Described]]:
        """The readable ones; who created the younger of two with one number removes it again."""
        oldest: dict[str, tuple[Row, Described]] = {}
        for row in rows:
            what = self.described(row)
            if not isinstance(what, Described):
                continue
            other = oldest.get(row.workload)
            if other is None or self._is_older(row, other[0]):
                oldest[row.workload] = (row, what)
        return list(oldest.values())

    def described(self, row: Row) -> Described | str:
        """What its labels say, or why they say nothing."""
        if (known := self._described.get(row.id)) is None:
            known = self._described[row.id] = _described(row.labels)
        if isinstance(known, Described):
            name = workload_name(known.record.server, known.record.revision)
            if name != row.workload or known.record.token != row.token:
                return f"its record is that of {name}"
        return known

    def run(self, row: Row) -> Run | None:
        """A look at one container; None where it is gone."""
        try:
            with refusals(f"{row.name} could not be looked at"):
                told = self.connection.api.inspect_container(row.id)
        except Gone:
            return None
        return _run(told["State"], told["HostConfig"]["RestartPolicy"]["Name"])

    def _workload(self, row: Row, what: Described, notes: Notes, now: float) -> Workload | None:
        run = self.run(row) if _needs_a_look(row, what) else _roughly(row, now)
        if run is None:
            return None
        ended = row.phase is Phase.ENDED
        began = row.created if row.phase is Phase.CREATED else run.started
        silent_since = notes.silent_since(run.name) if row.phase is Phase.RUNNING else None
        return Workload(
            record=what.record,
            wanted=row.wanted,
            cause=notes.cause(row.wanted),
            phase=row.phase,
            address=f"http://{row.address}:{row.labels.get(labels.PORT, '')}",
            age_s=max(0.0, now - began),
            starts=_starts(row, notes),
            ending=_ending(run, what.record, now) if ended else None,
            stamps_revision=what.launch.stamps_revision,
            kept_alive=run.kept_alive,
            comes_back=row.state == "restarting",
            silent_s=None if silent_since is None else max(0.0, now - silent_since),
        )

    def _is_older(self, row: Row, other: Row) -> bool:
        """Seldom asked, so exactly: the engine lists whole seconds."""
        return (self._created(row), row.id) < (self._created(other), other.id)

    def _created(self, row: Row) -> float:
        try:
            with refusals(f"{row.name} could not be looked at"):
                return instant(self.connection.api.inspect_container(row.id)["Created"])
        except Gone:
            return float("inf")

    def _needs_notes(self, row: Row, what: Described) -> bool:
        """What has run for long, or was never started, has nothing to tell beyond its row."""
        if row.wanted is not Wanted.RUNNING or row.phase is Phase.ENDED:
            return True
        return _is_young(row) or _is_held_to_its_silence(row, what)

    def _forget_all_but(self, ids: set[str]) -> None:
        for gone in self._described.keys() - ids:
            self._described.pop(gone, None)


def _described(told: Mapping[str, str]) -> Described | str:
    try:
        return Described(record_in(told), launch_in(told))
    except KeyError as error:
        return f"it lacks the label {error.args[0]}"
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        return f"its record does not read: {'.'.join(map(str, first['loc']))} {first['msg']}"


def _needs_a_look(row: Row, what: Described) -> bool:
    if row.wanted is not Wanted.RUNNING:
        return row.phase is Phase.RUNNING
    return row.phase is Phase.ENDED or _is_young(row) or _is_held_to_its_silence(row, what)


def _is_held_to_its_silence(row: Row, what: Described) -> bool:
    probes = what.record.config.probes
    return row.phase is Phase.RUNNING and bool(probes and probes.restart_hung_s)


def _is_young(row: Row) -> bool:
    return row.phase is Phase.RUNNING and row.age_s < YOUNG_S


def _run(state: Mapping[str, Any], restarts: str) -> Run:
    return Run(
        started=instant(state["StartedAt"]),
        finished=instant(state["FinishedAt"]),
        exit_code=as_exit_code(int(state["ExitCode"])),
        out_of_memory=bool(state.get("OOMKilled")),
        error=state.get("Error", ""),
        kept_alive=restarts == POLICY,
    )


def _roughly(row: Row, now: float) -> Run:
    """What the list alone tells."""
    since = now - row.age_s
    return Run(started=since, finished=since, exit_code=row.exit_code, out_of_memory=False, error="")


def _starts(row: Row, notes: Notes) -> int:
    """One that has run for long was started once, as far as it matters, and its notes were not read."""
    return max(notes.starts, 1) if row.phase is Phase.RUNNING else notes.starts


def _ending(run: Run, record: Record, now: float) -> Ending:
    memory = record.config.resources.memory if record.config.resources and run.out_of_memory else ""
    message = run.error or in_words(run.exit_code, memory)
    ago_s = max(0.0, now - run.finished)
    return Ending(exit_code=run.exit_code, message=message, ago_s=ago_s, out_of_memory=run.out_of_memory)
