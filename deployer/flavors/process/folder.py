"""One workload's folder, and what it says."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

from pydantic import TypeAdapter, ValidationError

from deployer.engine import Launch, Phase, Ref, Wanted, Workload, WorkloadSpec
from deployer.ports import HIGHEST, LOOPBACK, can_be_bound
from deployer.processes import files
from deployer.processes.held import HeldProcess
from deployer.records.names import workload_name
from deployer.records.record import Record

RECORD = "record"
LAUNCH = "launch"
AS_JSON = TypeAdapter(Launch)
Result = TypeVar("Result")


class NotReadable(Exception):
    """A folder that claims to be a workload's and does not read as one."""


class Parsed(Generic[Result]):
    """Parses what is new, and remembers what it parsed last."""

    def __init__(self, parse: Callable[[bytes], Result]) -> None:
        self._parse = parse
        self._last: tuple[bytes, Result] | None = None

    def __call__(self, content: bytes) -> Result:
        last = self._last
        if last is None or last[0] != content:
            self._last = last = content, self._parse(content)
        return last[1]


class WorkloadFolder(HeldProcess):
    """A folder with a record, how to launch it, and what a held process has.

    It is read anew each time; what reads as it did the last time is not parsed again.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._parsed_record, self._parsed_launch = Parsed(_record), Parsed(_launch)

    def fill(self, spec: WorkloadSpec, port: int) -> None:
        """Make it complete; the folder must not be seen yet."""
        self.prepare()
        files.write_text(self.folder / RECORD, spec.record.model_dump_json())
        files.write_text(self.folder / LAUNCH, AS_JSON.dump_json(spec.launch).decode())
        files.write(self.folder / files.ADDRESS, {"port": port})

    def belongs_to(self, ref: Ref) -> bool:
        """Whether that workload is still there."""
        try:
            return self.record().token == ref.token
        except (FileNotFoundError, NotReadable):
            return False

    def workload(self) -> Workload:
        """All that it says.

        Raises:
            NotReadable: it is no workload's folder.
            FileNotFoundError: some of it is missing; all of it, if it vanished.
        """
        record, launch = self.record(), self.launch()
        wanted, cause = self.wanted()
        os.stat(self._at(files.LOCK))  # Without it, nobody can tell whether it runs.
        try:
            return self._workload(record, launch, wanted, cause)
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise NotReadable(f"what it says of its run does not read: {type(error).__name__}: {error}") from None

    def _workload(self, record: Record, launch: Launch, wanted: Wanted, cause: str) -> Workload:
        port = self.port() or 0
        with self.resting() as resting:
            ending, age_s, starts = self.ending_if(resting), self.age_if(resting), self.starts()
        return Workload(
            record=record,
            wanted=wanted,
            cause=cause,
            phase=(Phase.ENDED if ending else Phase.CREATED) if resting else Phase.RUNNING,
            address=_address(port),
            age_s=self._seconds_since_written(RECORD) if age_s is None else age_s,
            starts=starts,
            ending=ending,
            port_lost=ending is not None and starts == 1 and not can_be_bound(port),
            stamps_revision=launch.stamps_revision,
            silent_s=None if resting else self.silent_s(),
        )

    def record(self) -> Record:
        record = self._parsed_record(files.content(self._at(RECORD)))
        if (name := workload_name(record.server, record.revision)) != self.folder.name:
            raise NotReadable(f"its record is that of {name}")
        return record

    def text(self, name: str) -> str:
        """What one of its files holds."""
        return files.content(self._at(name)).decode()

    def launch(self) -> Launch:
        return self._parsed_launch(files.content(self._at(LAUNCH)))

    def wanted(self) -> tuple[Wanted, str]:
        """What it is marked to be, and why."""
        try:
            mark = json.loads(files.content(self._at(files.WANTED)))
            return Wanted(mark["state"]), str(mark["cause"])
        except (ValueError, KeyError, TypeError):
            raise NotReadable(f"its mark does not read: {self.folder / files.WANTED}") from None

    def takes(self, mark: Wanted) -> bool:
        """Whether it may be marked so: what was refused stays refused."""
        return mark is Wanted.REFUSED or self.wanted()[0] is not Wanted.REFUSED


def new_workload(spec: WorkloadSpec, port: int) -> Workload:
    """What a folder says right after it was filled."""
    return Workload(
        record=spec.record,
        wanted=Wanted.RUNNING,
        cause="",
        phase=Phase.CREATED,
        address=_address(port),
        age_s=0.0,
        stamps_revision=spec.launch.stamps_revision,
    )


def _address(port: int) -> str:
    if not 0 <= port <= HIGHEST:
        raise ValueError(f"{port} is no port")
    return f"http://{LOOPBACK}:{port:d}"


def _record(content: bytes) -> Record:
    try:
        return Record.model_validate_json(content)
    except ValidationError as error:
        raise NotReadable(f"its record does not read: {_first(error)}") from None


def _launch(content: bytes) -> Launch:
    try:
        return AS_JSON.validate_json(content)
    except ValidationError as error:
        raise NotReadable(f"its launch does not read: {_first(error)}") from None


def _first(error: ValidationError) -> str:
    first = error.errors(include_input=False, include_url=False)[0]
    return f"{'.'.join(map(str, first['loc']))} {first['msg']}".strip()
