"""Runs workloads as containers of one Docker engine."""

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from functools import partial
from pathlib import Path

from deployer.engine import Health, Phase, Readiness, Ref, Unreadable, Wanted, Workload, WorkloadSpec
from deployer.errors import EngineError, ImageUnusable, WorkloadExists
from deployer.flavors.docker.built import Built
from deployer.flavors.docker.connection import Connection
from deployer.flavors.docker.container import USER, Container
from deployer.flavors.docker.containers import POLICY, Containers
from deployer.flavors.docker.marks import Marks
from deployer.flavors.docker.models import Models
from deployer.flavors.docker.network import NAME as NETWORK
from deployer.flavors.docker.network import Network
from deployer.flavors.docker.notes import Kind, Notebook
from deployer.flavors.docker.probe import Prober
from deployer.flavors.docker.refusals import Gone, NameTaken, gone_is_fine, refusals
from deployer.flavors.docker.rows import Row
from deployer.flavors.docker.starts import Starts
from deployer.flavors.docker.sweep import UNTOUCHED_S, Sweeper
from deployer.probing import USUAL_TIMEOUT_S, probe_all
from deployer.records.names import workload_name

Unreadables = list[Unreadable]


class DockerEngine:
    """An engine whose workloads are containers, each on a network of ours with an address for life.

    Args:
        model_path: where the bytes of a digest are on this machine; raises `ModelGone` where they are not.
        resolve_secrets: the secrets' values by variable; raises `SecretUnresolved`.
    """

    def __init__(
        self,
        connection: Connection,
        network: Network,
        model_path: Callable[[str], Path],
        resolve_secrets: Callable[[Mapping[str, str]], dict[str, str]],
    ) -> None:
        self._connection = connection
        self._network = network
        self._resolve_secrets = resolve_secrets
        self._models = Models(connection, model_path)
        self._notebook = Notebook(connection)
        self._containers = Containers(connection, self._notebook)
        self._starts = Starts(self._containers, self._notebook, network)
        self._marks = Marks(self._containers, self._notebook, self._starts)

    def list(self, server: str | None = None) -> list[Workload]:
        return self._containers.workloads(server)

    def unreadable(self) -> Unreadables:
        return self._containers.unreadable()

    def probe(self, workloads: Sequence[Workload], deadline_s: float) -> dict[Ref, Readiness]:
        prober = Prober(self._containers, self._containers.seen(workloads))
        return prober.confirmed(probe_all(workloads, prober.ask, deadline_s))

    def create(self, spec: WorkloadSpec) -> Workload:
        record, name = spec.record, workload_name(spec.record.server, spec.record.revision)
        if record.image is None:
            raise EngineError(f"{name} names no image", hint="Deploy it again: another flavor's deployer made it.")
        rows = self._containers.rows()
        self._require_free(rows, record.server, record.revision)
        secrets = self._resolve_secrets(record.config.secrets)
        try:
            model = self._models.ensure(record.digest, record.image.id, _served(rows))
            address = self._network.free_address({row.address for row in rows})
            made = Container(spec, record.image.id, record.image.port, model, address, secrets)
            with refusals(f"{name} could not be created"):
                created = self._create(made)
        except NameTaken:
            raise WorkloadExists(f"{name} exists already") from None
        except Gone as gone:
            what = f"{name} could not be created: {gone}"
            raise ImageUnusable(what, hint="Deploy it again: its image is pulled or built once more.") from None
        self._require_whole_and_first(created, record.server, record.revision)
        return _new_workload(made)

    def mark(self, ref: Ref, wanted: Wanted, cause: str) -> None:
        self._marks.mark(ref, wanted, cause)

    def start(self, ref: Ref) -> None:
        self._starts.start(ref)

    def stop(self, ref: Ref, grace_s: float) -> None:
        self._starts.stop(ref, grace_s)

    def delete(self, ref: Ref) -> None:
        row = self._containers.row(ref)
        if row and row.phase is Phase.RUNNING:
            raise EngineError(f"{ref} runs, so it is not deleted", hint="Stop it first.")
        notes = self._notebook.of(ref)
        if row:
            if row.state == "restarting":
                self._starts.end(row, 0)
            with gone_is_fine(), refusals(f"{ref} could not be deleted"):
                self._connection.api.remove_container(row.id)
        self._notebook.forget(notes.all)

    def keep_alive(self, ref: Ref) -> None:
        row = self._containers.row(ref)
        if row and row.wanted is Wanted.RUNNING:
            self._starts.set_policy(row, POLICY)

    def note_silence(self, ref: Ref, silent: bool) -> None:
        row = self._containers.row(ref)
        run = self._containers.run(row) if row and row.phase is Phase.RUNNING else None
        if run is None:
            return
        notes = self._notebook.of(ref)
        if not silent:
            self._notebook.forget(notes.of(Kind.SILENCE))
        elif notes.silent_since(run.name) is None:
            self._notebook.add(ref, Kind.SILENCE, notes, {"run": run.name, "since": self._connection.now()})

    def kill_silent(self, ref: Ref, silent_s: float) -> None:
        """Whose run it is, is told before it is asked: who is frozen after that kills no later one."""
        row = self._containers.row(ref)
        run = self._containers.run(row) if row else None
        workload = next((w for w in self.list(ref.server) if w.ref == ref), None)
        if row is None or workload is None or workload.silent_s is None or workload.silent_s < silent_s:
            return
        probes = workload.record.config.probes
        timeout_s = probes.timeout_s if probes else USUAL_TIMEOUT_S
        if self.probe([workload], timeout_s)[ref].health is not Health.SILENT:
            self.note_silence(ref, False)
        elif run and self._containers.run(row) == run:
            self._starts.end(row, 0)

    def log(self, ref: Ref, tail: int, follow: bool = False) -> Iterator[str]:
        row = self._containers.row(ref)
        if row is None or (tail <= 0 and not follow):
            return
        with gone_is_fine(), refusals(f"the log of {ref} could not be read"):
            told = self._connection.api.logs(row.id, stream=True, follow=follow, tail=max(tail, 0))
            rest = b""
            for chunk in told:
                *lines, rest = (rest + chunk).split(b"\n")
                yield from map(_text, lines)
            if rest:
                yield _text(rest)

    def sweep(self) -> None:
        """Clear up what creations that were cut short left."""
        Sweeper(self._containers).sweep()
        Built(self._connection).sweep()

    def copy_model(self, digest: str, folder: Path) -> bool:
        return self._models.copy(digest, folder)

    def collect_models(self, keep: Set[str], untouched_s: float = UNTOUCHED_S) -> None:
        """Remove the volumes of models that are not in `keep`, that no container has, and that are so old."""
        Sweeper(self._containers).collect(keep, untouched_s)

    def collect_images(self, keep: Set[str]) -> None:
        """Remove the images built here whose ids are not in `keep`, that no container has, and unused for a day."""
        Built(self._connection).collect(keep)

    def _require_free(self, rows: Sequence[Row], server: str, revision: int) -> None:
        """A container that was marked has another name, and is there all the same."""
        taken = {(what.record.server, what.record.revision) for _, what in self._containers.chosen(rows)}
        if (server, revision) in taken:
            raise WorkloadExists(f"{workload_name(server, revision)} exists already")

    def _create(self, made: Container) -> str:
        api, command = self._connection.api, made.command
        ends = {NETWORK: api.create_endpoint_config(ipv4_address=made.address)}
        created = api.create_container(
            made.image,
            name=made.name,
            labels=made.labels,
            user=USER,
            entrypoint=command[:1] or None,
            command=command[1:] or None,
            environment=made.environment,
            healthcheck=made.health(made.spec.launch.readiness_path),
            host_config=api.create_host_config(**made.host()),
            networking_config=api.create_networking_config(ends),  # type: ignore[arg-type]
        )
        return str(created["Id"])

    def _require_whole_and_first(self, created: str, server: str, revision: int) -> None:
        """A rename frees a name: of two with one number the older stays. And what it serves must be there."""
        remove = partial(self._connection.api.remove_container, created, force=True)
        kept = False
        try:
            rows = self._containers.chosen(self._containers.rows(server))
            kept = created in {row.id for row, _ in rows} and self._models.is_complete(created)
        finally:
            if not kept:
                with contextlib.suppress(Exception):
                    remove()
        if not kept:
            raise WorkloadExists(f"{workload_name(server, revision)} exists already")


def _served(rows: Sequence[Row]) -> set[str]:
    """The volumes of what was started: one that is just made may have to go again."""
    return {volume for row in rows if row.phase is not Phase.CREATED for volume in row.volumes}


def _new_workload(made: Container) -> Workload:
    """What the engine lists right after a creation."""
    return Workload(
        record=made.spec.record,
        wanted=Wanted.RUNNING,
        cause="",
        phase=Phase.CREATED,
        address=f"http://{made.address}:{made.port}",
        age_s=0.0,
        stamps_revision=made.spec.launch.stamps_revision,
    )


def _text(line: bytes) -> str:
    return line.rstrip(b"\r").decode(errors="replace")
