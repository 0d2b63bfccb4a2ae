"""Runs workloads as processes of this machine, a folder each."""

import contextlib
import errno
import os
import re
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from deployer.config import Probes
from deployer.engine import Health, Readiness, Ref, Unreadable, Wanted, Workload, WorkloadSpec
from deployer.errors import EngineError, EngineUnavailable, ModelGone, WorkloadExists
from deployer.flavors.process import gpus, resources
from deployer.flavors.process.environment import first_in_path, no_environment, of_server, places
from deployer.flavors.process.folder import RECORD, NotReadable, WorkloadFolder, new_workload
from deployer.flavors.process.probe import Prober
from deployer.flavors.process.refusals import looked_at, not_claimed, refusals
from deployer.leftovers import Leftovers, lies_untouched
from deployer.ports import free_ports
from deployer.probing import probe_all
from deployer.processes import cgroup
from deployer.processes.held import STABLE_S
from deployer.processes.instructions import Outcome
from deployer.processes.passing import passes
from deployer.records.names import server_of, workload_name

TEMPORARY, GONE = ".tmp-", ".gone-"
TEMPORARY_FOR_S = 60.0
OTHER_PORTS = 20
FOLLOW_EVERY_S = 0.1
LAST_QUESTION_S = 60.0
Unreadables = list[Unreadable]
LeftoverKinds = list[Leftovers]


class ProcessEngine:
    """An engine whose workloads are processes on loopback that outlive the deployer.

    Args:
        root: folder for the workloads' folders; on a local file system.
        model_path: where the bytes of a digest are, whether they are there or not.
        resolve_secrets: the secrets' values by variable; raises `SecretUnresolved`.
        python_of: the interpreter of the isolated environment with that key; raises `EnvironmentGone`.
        devices: lists the GPUs that may be given to servers.
    """

    def __init__(
        self,
        root: Path,
        model_path: Callable[[str], Path],
        resolve_secrets: Callable[[Mapping[str, str]], dict[str, str]],
        python_of: Callable[[str], Path] = no_environment,
        devices: resources.Devices = gpus.devices,
    ) -> None:
        self._root = root
        self._model_path = model_path
        self._resolve_secrets = resolve_secrets
        self._python_of = python_of
        self._devices = devices
        self._folders: dict[str, WorkloadFolder] = {}

    def list(self, server: str | None = None) -> list[Workload]:
        found = [workload for _, workload in self._read(server) if isinstance(workload, Workload)]
        return sorted(found, key=lambda workload: (workload.record.server, workload.revision))

    def unreadable(self) -> Unreadables:
        """Folders that stand among ours and are no workload's."""
        found = [(path, why) for path, why in self._read(None) if isinstance(why, str)]
        return [Unreadable(str(path), why, server_of(path.name)) for path, why in found]

    def probe(self, workloads: Sequence[Workload], deadline_s: float) -> dict[Ref, Readiness]:
        return probe_all(workloads, self._ask, deadline_s)

    def create(self, spec: WorkloadSpec) -> Workload:
        name = workload_name(spec.record.server, spec.record.revision)
        temporary = WorkloadFolder(self._root / f"{TEMPORARY}{spec.record.token}")
        with refusals(f"{name} could not be created"):
            port = next(iter(self._free_ports(1)), 0)
            try:
                self._root.mkdir(mode=0o700, parents=True, exist_ok=True)
                temporary.fill(spec, port)
                _into_place(temporary.folder, self._root / name)
            except FileNotFoundError:  # Somebody has swept it up.
                raise EngineUnavailable(f"{name} was too long in the making", hint="Try again.") from None
            finally:
                shutil.rmtree(temporary.folder, ignore_errors=True)
        return new_workload(spec, port)

    def mark(self, ref: Ref, wanted: Wanted, cause: str) -> None:
        with self._ours(ref, f"{ref} could not be marked {wanted}") as folder:
            if folder is None or not folder.takes(wanted):
                return
            if wanted is Wanted.RUNNING:
                folder.forget_starts()
            folder.mark(wanted, cause, still=lambda: folder.belongs_to(ref) and folder.takes(wanted))

    def start(self, ref: Ref) -> None:
        with self._ours(ref, f"{ref} could not be started") as folder:
            if folder is None:
                return
            starts = folder.starts()
            if folder.held() or folder.wanted()[0] is not Wanted.RUNNING:
                return
            outcome = self._start(ref, folder)
            if outcome is Outcome.ALREADY_RUNS and not folder.held() and folder.starts() == starts:
                raise looked_at(f"{ref} was not started")
            if outcome is Outcome.DELETED and folder.belongs_to(ref):
                what = f"{ref} was not started: its folder is not whole: {folder.folder}"
                raise EngineError(what, hint="It was changed by hand: see to it.")

    def stop(self, ref: Ref, grace_s: float) -> None:
        with self._ours(ref, f"{ref} could not be stopped") as folder:
            if folder:
                folder.forget_starts()
                folder.stop(grace_s, still=lambda: folder.belongs_to(ref))

    def note_silence(self, ref: Ref, silent: bool) -> None:
        with self._ours(ref, f"{ref} could not be noted") as folder:
            if folder and folder.held():
                folder.note_silence(silent, still=lambda: folder.belongs_to(ref))

    def kill_silent(self, ref: Ref, silent_s: float) -> None:
        """Whose run it is, is told before it is asked: who is frozen after that kills no later one."""
        with self._ours(ref, f"{ref} could not be killed") as folder:
            if folder is None:
                return
            run, noted_s = folder.identity(), folder.silent_s()
            if noted_s is None or noted_s < silent_s or not folder.held():
                return
            if Prober(folder).ask(folder.workload(), LAST_QUESTION_S).health is Health.SILENT:
                folder.stop(0, still=lambda: folder.belongs_to(ref) and folder.identity() == run)
            else:
                folder.note_silence(False)

    def delete(self, ref: Ref) -> None:
        gone = self._root / f"{GONE}{ref.token}"
        with self._ours(ref, f"{ref} could not be deleted") as folder:
            if folder is None:
                return
            with folder.claimed() as claimed:
                if folder.belongs_to(ref):
                    if not claimed:
                        raise not_claimed(ref, folder)
                    group = folder.room().group
                    os.rename(folder.folder, gone)
                    if group:  # Its starter may have been killed before it could.
                        cgroup.remove(Path(group))
            shutil.rmtree(gone, ignore_errors=True)

    def log(self, ref: Ref, tail: int, follow: bool = False) -> Iterator[str]:
        with self._ours(ref, f"the log of {ref} could not be read") as folder:
            if folder is None:
                return
            reader = folder.log()
            if not follow:
                yield from [*reader.tail(tail), *reader.rest()][-tail:] if tail > 0 else []
                return
            yield from reader.tail(tail)
            while folder.held():
                yield from reader.more()
                time.sleep(FOLLOW_EVERY_S)
            yield from reader.more()
            yield from reader.rest()

    def log_bytes(self, ref: Ref) -> int:
        return self._folder(str(ref)).log().size()

    def pid(self, ref: Ref) -> int | None:
        """Of its server process; None where it does not run as a process of this machine's."""
        identity = self._folder(str(ref)).identity()
        return identity.pid if identity and identity.lives else None

    def sweep(self) -> None:
        """Clear up what creations and deletions that were cut short left."""
        now = time.time()
        with contextlib.suppress(FileNotFoundError):
            for path in self._root.glob(f"{TEMPORARY}*"):
                with contextlib.suppress(OSError):
                    if now - path.stat().st_mtime > TEMPORARY_FOR_S:
                        os.rename(path, path.with_name(f"{GONE}{path.name.removeprefix(TEMPORARY)}"))
            for path in self._root.glob(f"{GONE}*"):
                shutil.rmtree(path, ignore_errors=True)

    def leftovers(self) -> LeftoverKinds:
        """What creations and deletions that were cut short left; a reconcile clears it up too."""
        return [Leftovers("broken-off workload", self._broken_off, lambda path, untouched_s: self.sweep())]

    def _broken_off(self, untouched_s: float) -> Sequence[Path]:
        patience_s = max(untouched_s, TEMPORARY_FOR_S)
        begun = (path for pattern in (TEMPORARY, GONE) for path in sorted(self._root.glob(f"{pattern}*")))
        return [path for path in begun if lies_untouched(path, patience_s)]

    def _read(self, server: str | None) -> Iterator[tuple[Path, Workload | str]]:
        """Every folder with what it says, or why it says nothing; those that vanish meanwhile are left out."""
        with refusals("the workloads could not be listed"):
            for name in self._names(server):
                path = self._root / name
                try:
                    yield path, self._folder(name).workload()
                except NotReadable as error:
                    yield path, str(error)
                except OSError as error:
                    if passes(error):
                        raise
                    if path.exists():
                        yield path, f"{error.strerror}: {error.filename}"

    def _names(self, server: str | None) -> Sequence[str]:
        try:
            names = [name for name in os.listdir(self._root) if not name.startswith(".")]
        except FileNotFoundError:
            return []
        if server is None:
            for gone in set(self._folders) - set(names):
                self._folders.pop(gone, None)
        pattern = re.compile(rf"{re.escape(server)}-r[0-9]+" if server else ".*", re.DOTALL)
        return [name for name in names if pattern.fullmatch(name)]

    def _folder(self, name: str) -> WorkloadFolder:
        """Kept as long as it stands, as it remembers what it has read."""
        if (folder := self._folders.get(name)) is None:
            folder = self._folders[name] = WorkloadFolder(self._root / name)
        return folder

    @contextlib.contextmanager
    def _ours(self, ref: Ref, failure: str) -> Iterator[WorkloadFolder | None]:
        """The workload's folder; None where it is gone. One that goes meanwhile makes a no-op too."""
        folder = self._folder(str(ref))
        with refusals(failure):
            try:
                yield folder if folder.belongs_to(ref) else None
            except FileNotFoundError:
                if folder.belongs_to(ref):
                    raise

    def _start(self, ref: Ref, folder: WorkloadFolder) -> Outcome:
        stands = {RECORD: folder.text(RECORD)}
        record, launch = folder.record(), folder.launch()
        if record.token != ref.token:
            return Outcome.DELETED
        model = self._model_path(record.digest)
        if not model.exists():
            what = f"The bytes of {folder.folder.name} are gone: {model} is not there."
            raise ModelGone(what, hint="Deploy the model again.")
        python = self._python_of(record.environment.key) if record.environment else None
        config, secrets = record.config, self._resolve_secrets(record.config.secrets)
        with resources.room_for(folder, config.resources, self._all_folders, self._devices) as (room, guard):
            environment, filled = of_server(launch, config, secrets, room.gpus)
            return folder.start(
                launch.argv,
                first_in_path(python, environment),
                fill=places(model, record.revision, python),
                filled=filled,
                ports=[*filter(None, [folder.port()]), *self._free_ports(OTHER_PORTS)],
                takes_descriptor=launch.takes_descriptor,
                stable_s=max(STABLE_S, (config.probes or Probes()).startup_s),
                stands=stands,
                room=room,
                guard=guard,
            )

    def _ask(self, workload: Workload, left_s: float) -> Readiness:
        return Prober(self._folder(str(workload.ref))).ask(workload, left_s)

    def _free_ports(self, count: int) -> Sequence[int]:
        return free_ports(count, {folder.port() for folder in self._all_folders()})

    def _all_folders(self) -> Sequence[WorkloadFolder]:
        return [self._folder(name) for name in self._names(None)]


def _into_place(complete: Path, final: Path) -> None:
    """Nobody sees it before it is complete, and only one can be first."""
    if os.path.lexists(final):  # A rename would take the place of an empty folder.
        raise WorkloadExists(f"{final.name} exists already")
    try:
        os.rename(complete, final)
    except OSError as error:
        if error.errno in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR):
            raise WorkloadExists(f"{final.name} exists already") from None
        raise
