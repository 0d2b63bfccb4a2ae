"""An engine over a platform in memory."""

import time
from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from pathlib import Path

from pydantic import ValidationError

from deployer.engine import Health, Phase, Readiness, Ref, Unreadable, Wanted, Workload, WorkloadSpec
from deployer.errors import EngineError, WorkloadExists
from deployer.flavors.memory.platform import KILLED, MemoryPlatform, Run, Stored, read_model
from deployer.records.names import workload_name
from deployer.records.record import Record

FOLLOW_EVERY_S = 0.02
Unreadables = list[Unreadable]


class MemoryEngine:
    """Keeps records as JSON, as every platform does, and lets workloads act as their model says.

    Args:
        model_path: the folder of the model with that digest.
    """

    def __init__(self, platform: MemoryPlatform, model_path: Callable[[str], Path]) -> None:
        self._platform = platform
        self._model_path = model_path

    def list(self, server: str | None = None) -> list[Workload]:
        with self._platform.lock:
            found = [_read(*item) for item in self._platform.workloads.items() if server in (None, item[1].server)]
        return [workload for workload in found if isinstance(workload, Workload)]

    def unreadable(self) -> Unreadables:
        with self._platform.lock:
            found = [_read(*item) for item in self._platform.workloads.items()]
        return [unreadable for unreadable in found if isinstance(unreadable, Unreadable)]

    def probe(self, workloads: Sequence[Workload], deadline_s: float) -> dict[Ref, Readiness]:
        with self._platform.lock:
            asked = ((ref, self._of(ref)) for ref in (workload.ref for workload in workloads))
            return {ref: stored.run.readiness() for ref, stored in asked if stored and stored.run}

    def create(self, spec: WorkloadSpec) -> Workload:
        record, platform = spec.record, self._platform
        with platform.lock:
            key = (record.server, record.revision)
            if key in platform.workloads:
                raise WorkloadExists(f"{workload_name(*key)} exists already.")
            stored = Stored(record.model_dump_json(), spec.launch, record.token, record.server)
            platform.workloads[key] = stored
            return _workload(record, stored)

    def mark(self, ref: Ref, wanted: Wanted, cause: str) -> None:
        with self._platform.lock:
            stored = self._of(ref)
            if stored and (wanted is Wanted.REFUSED or stored.wanted is not Wanted.REFUSED):
                stored.wanted, stored.cause = wanted, cause
                if wanted is Wanted.RUNNING:
                    stored.starts = 0

    def start(self, ref: Ref) -> None:
        with self._platform.lock:
            stored = self._of(ref)
            if stored is None or stored.wanted is not Wanted.RUNNING or stored.phase() is Phase.RUNNING:
                return
            digest = Record.model_validate_json(stored.record).digest
            stored.run = Run(read_model(self._model_path(digest)))
            stored.starts += 1
            stored.log.append("cannot load model" if stored.run.mode == "exit" else "serving")

    def stop(self, ref: Ref, grace_s: float) -> None:
        with self._platform.lock:
            stored = self._of(ref)
            if stored and stored.run:
                stored.run.end(0 if grace_s else KILLED)
                stored.starts = 0

    def note_silence(self, ref: Ref, silent: bool) -> None:
        with self._platform.lock:
            stored = self._of(ref)
            if stored and stored.run and not silent:
                stored.run.silent_since = None
            elif stored and stored.run and stored.run.silent_since is None:
                stored.run.silent_since = time.monotonic()

    def kill_silent(self, ref: Ref, silent_s: float) -> None:
        with self._platform.lock:
            stored = self._of(ref)
            noted = _silent_s(stored) if stored else None
            if not stored or not stored.run or noted is None or noted < silent_s:
                return
            if stored.run.readiness().health is Health.SILENT:
                stored.run.end(KILLED)
            else:
                stored.run.silent_since = None

    def delete(self, ref: Ref) -> None:
        with self._platform.lock:
            stored = self._of(ref)
            if stored is None:
                return
            if stored.phase() is Phase.RUNNING:
                raise EngineError(f"{ref} runs and cannot be deleted.", hint="Stop it first.")
            del self._platform.workloads[ref.server, ref.revision]

    def log(self, ref: Ref, tail: int, follow: bool = False) -> Iterator[str]:
        with self._platform.lock:
            stored = self._of(ref)
            told = list(stored.log) if stored else []
        lines = told[-tail:] if tail else []
        return chain(lines, self._what_comes(stored, len(told))) if stored and follow else iter(lines)

    def _what_comes(self, stored: Stored, told: int) -> Iterator[str]:
        """After so many lines, until it ends."""
        runs = True
        while runs:
            with self._platform.lock:
                runs, new = stored.phase() is Phase.RUNNING, stored.log[told:]
            told += len(new)
            yield from new
            if runs:
                time.sleep(FOLLOW_EVERY_S)

    def _of(self, ref: Ref) -> Stored | None:
        stored = self._platform.workloads.get((ref.server, ref.revision))
        return stored if stored and stored.token == ref.token else None


def _read(key: tuple[str, int], stored: Stored) -> Workload | Unreadable:
    where, server = workload_name(*key), key[0]
    try:
        record = Record.model_validate_json(stored.record)
    except ValidationError as error:
        return Unreadable(where, f"its record does not read: {error.errors()[0]['msg']}", server)
    if (name := workload_name(record.server, record.revision)) != where:
        return Unreadable(where, f"its record is that of {name}", server)
    return _workload(record, stored)


def _workload(record: Record, stored: Stored) -> Workload:
    return Workload(
        record=record,
        wanted=stored.wanted,
        cause=stored.cause,
        phase=stored.phase(),
        address=f"memory://{record.server}-r{record.revision}",
        age_s=_age_s(stored),
        starts=stored.starts,
        ending=stored.ending(),
        stamps_revision=stored.launch.stamps_revision,
        silent_s=_silent_s(stored),
    )


def _silent_s(stored: Stored) -> float | None:
    if stored.run is None or stored.run.silent_since is None or stored.phase() is not Phase.RUNNING:
        return None
    return time.monotonic() - stored.run.silent_since


def _age_s(stored: Stored) -> float:
    return time.monotonic() - (stored.run.began if stored.run else stored.created)
