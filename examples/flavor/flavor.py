"""A whole flavor: an engine over child processes, and a deployer that puts them behind a Traefik of its own."""

import os
import re
import socket
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from typing import ClassVar

from pydantic import BaseModel, Field, TypeAdapter

from deployer import secrets
from deployer.config import Probes
from deployer.engine import Ending, Health, Phase, Readiness, Ref, Wanted, Workload, WorkloadSpec
from deployer.engine_deployer import EngineModelDeployer
from deployer.errors import EngineError, WorkloadExists
from deployer.gateways.traefik import TraefikGateway
from deployer.http import NoAnswer, request
from deployer.ports import LOOPBACK, free_port
from deployer.processes.ending import in_words
from deployer.processes.log import LogReader
from deployer.store import Store
from examples.flavor.children import Child, Children

SPEC = TypeAdapter(WorkloadSpec)
FOLLOW_EVERY_S = 0.05


class ChildEngine:
    """A workload is a child: its description holds the record, its notes what changes."""

    def __init__(self, folder: Path, model_path: Callable[[str], Path]) -> None:
        self._children = Children.of(folder)
        self._folder, self._model_path = folder, model_path

    def list(self, server: str | None = None) -> list[Workload]:
        with self._children.lock:
            found = [_workload(child) for child in self._children.by_name.values()]
        return [workload for workload in found if server in (None, workload.ref.server)]

    def probe(self, workloads: Sequence[Workload], deadline_s: float) -> dict[Ref, Readiness]:
        with ThreadPoolExecutor(max(1, len(workloads))) as pool:
            return dict(pool.map(lambda workload: (workload.ref, self._ask(workload, deadline_s)), workloads))

    def create(self, spec: WorkloadSpec) -> Workload:
        """No two have the same name: that is the lock between deployers."""
        ref = Ref(spec.record.server, spec.record.revision, spec.record.token)
        log = self._folder / f"{ref.token}.log"
        child = Child(SPEC.dump_json(spec), ref.token, log, port=free_port(), wanted=Wanted.RUNNING)
        with self._children.lock:
            if self._children.by_name.setdefault(str(ref), child) is not child:
                raise WorkloadExists(f"{ref} exists already.")
        return _workload(child)

    def mark(self, ref: Ref, wanted: Wanted, cause: str) -> None:
        with self._children.lock:
            child = self._child(ref)
            if child and (wanted is Wanted.REFUSED or child.wanted != Wanted.REFUSED):
                child.wanted, child.cause = wanted, cause
                child.starts = 0 if wanted is Wanted.RUNNING else child.starts

    def start(self, ref: Ref) -> None:
        with self._children.lock:
            child = self._child(ref)
            if child and child.wanted == Wanted.RUNNING and not child.runs:
                self._run(child, SPEC.validate_json(child.description))

    def stop(self, ref: Ref, grace_s: float) -> None:
        if child := self._child(ref):
            child.starts = 0
            child.end(grace_s)

    def delete(self, ref: Ref) -> None:
        with self._children.lock:
            child = self._child(ref)
            if child and child.runs:
                raise EngineError(f"{ref} runs and cannot be deleted.", hint="Stop it first.")
            if child:
                del self._children.by_name[str(ref)]
                child.log.unlink(missing_ok=True)

    def log(self, ref: Ref, tail: int, follow: bool = False) -> Iterator[str]:
        """Not one of the seven: an engine may keep logs."""
        if child := self._child(ref):
            reader = LogReader(child.log)
            yield from reader.tail(tail)
            while follow and child.runs:
                yield from reader.more()
                time.sleep(FOLLOW_EVERY_S)
            yield from reader.more()

    def _run(self, child: Child, spec: WorkloadSpec) -> None:
        """As its runtime said when it was created, on the port that it had unless somebody took that."""
        launch, record, model = spec.launch, spec.record, self._model_path(spec.record.digest)
        child.port = free_port(preferred=child.port)
        env = {"PATH": os.environ["PATH"]} | record.config.env | secrets.resolve(record.config.secrets)
        with socket.socket() as bound:
            places = {"port": child.port, "descriptor": bound.fileno(), "model": model, "revision": record.revision}
            try:
                if launch.takes_descriptor:
                    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                    bound.bind((LOOPBACK, child.port))
                filled = {name: _filled(value, places) for name, value in launch.env.items()}
                child.run([_filled(word, places) for word in launch.argv], filled | env, bound.fileno())
            except OSError as error:
                what = f"{record.server} was not started: {error}."
                raise EngineError(what, hint="Mend its command line, then deploy again.") from error

    def _ask(self, workload: Workload, deadline_s: float) -> Readiness:
        """And then whether it was itself that answered: a stranger on its port says 200 as well."""
        child = self._child(workload.ref)
        if child is None:
            return Readiness(Health.UNREACHED, "it is gone")
        path = SPEC.validate_json(child.description).launch.readiness_path
        probes = workload.record.config.probes or Probes()
        try:
            answer = request("GET", workload.address + path, timeout_s=min(deadline_s, probes.timeout_s))
        except NoAnswer as no:
            return Readiness(Health.SILENT if no.timed_out else Health.UNREACHED, no.reason)
        if not child.listens(child.port):
            return Readiness(Health.UNREACHED, "a stranger answers on its port")
        return Readiness(Health.READY if answer.ok else Health.SICK, f"status {answer.status}")

    def _child(self, ref: Ref) -> Child | None:
        child = self._children.by_name.get(str(ref))
        return child if child and child.token == ref.token else None


class ChildSettings(BaseModel):
    """Each field becomes one of a form."""

    folder: Path = Field(title="Folder", description="For models, logs and routes.")
    gateway_port: int | None = Field(default=None, title="Gateway port", description="Of all URLs; free when empty.")


class ChildModelDeployer(EngineModelDeployer):
    """An engine, a gateway and a store are all that it needs to have; the rest it inherits."""

    FLAVOR: ClassVar[str] = "child"
    SETTINGS = ChildSettings

    def __init__(self, settings: ChildSettings) -> None:
        self._folder, self._gateway_port = settings.folder.absolute(), settings.gateway_port

    @cached_property
    def engine(self) -> ChildEngine:
        return ChildEngine(self._folder / "children", self.store.path)

    @cached_property
    def gateway(self) -> TraefikGateway:
        return TraefikGateway(self._folder / "gateway", self._gateway_port)

    @cached_property
    def store(self) -> Store:
        return Store(self._folder / "models")


def _workload(child: Child) -> Workload:
    spec, now, phase, ending = SPEC.validate_json(child.description), time.monotonic(), Phase.CREATED, None
    if child.runs:
        phase = Phase.RUNNING
    elif child.process:
        code = child.exit_code
        phase, ending = Phase.ENDED, Ending(exit_code=code, message=in_words(code), ago_s=now - child.ended)
    return Workload(
        record=spec.record,
        wanted=Wanted(child.wanted),
        cause=child.cause,
        phase=phase,
        address=f"http://{LOOPBACK}:{child.port}",
        age_s=now - child.began,
        starts=child.starts,
        ending=ending,
        stamps_revision=spec.launch.stamps_revision,
    )


def _filled(text: str, places: Mapping[str, object]) -> str:
    return re.sub(r"\{(\w+)\}", lambda place: str(places.get(place[1], place[0])), text)
