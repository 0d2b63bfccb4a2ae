"""The contract of an engine: what runs workloads on one platform."""

from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Protocol, runtime_checkable

from deployer.records.record import Record


class Wanted(StrEnum):
    """What a workload is marked to be."""

    RUNNING = "running"
    STOPPED = "stopped"
    REFUSED = "refused"


class Phase(StrEnum):
    """What the platform says of a workload without asking the workload itself."""

    CREATED = "created"
    RUNNING = "running"
    ENDED = "ended"


class Health(StrEnum):
    """What a workload answered to its health check.

    `unreached`: nothing listens at its address, or not our workload. `silent`: no answer in time.
    """

    READY = "ready"
    SICK = "sick"
    SILENT = "silent"
    UNREACHED = "unreached"


@dataclass(frozen=True)
class Readiness:
    """An answer to a health check, with what it said where it said no."""

    health: Health
    message: str = ""


@dataclass(frozen=True)
class Ref:
    """Names one workload for good: `server` is the platform name, the token its record's."""

    server: str
    revision: int
    token: str

    def __str__(self) -> str:
        return f"{self.server}-r{self.revision}"


@dataclass(frozen=True, kw_only=True)
class Ending:
    """How a workload's run ended.

    Attributes:
        exit_code: None where the platform could not see it, as after a reboot; negative for a signal.
        message: the same in words.
        ago_s: seconds since, by the platform's clock.
        out_of_memory: the platform killed it, or some of it, for wanting more memory than its limit.
    """

    exit_code: int | None
    message: str
    ago_s: float
    out_of_memory: bool = False


@dataclass(frozen=True, kw_only=True)
class Launch:
    """How a runtime turns one model into an HTTP server; rendered once, when the workload is created.

    In `argv` and the values of `env`, `{port}`, `{descriptor}`, `{model}`, `{revision}` and `{python}` stand for what
    is known only at the start; the last for the interpreter of the record's environment, where it has one.

    Attributes:
        readiness_path: HTTP path that answers 200 when ready.
        takes_descriptor: it serves on an inherited, bound socket rather than on a port it binds itself.
        stamps_revision: it answers with the header Model-Server-Revision itself.
    """

    argv: tuple[str, ...]
    env: dict[str, str] = field(default_factory=dict)
    readiness_path: str
    takes_descriptor: bool = False
    stamps_revision: bool = False


@dataclass(frozen=True)
class WorkloadSpec:
    """All that is needed to create a workload."""

    record: Record
    launch: Launch


@dataclass(frozen=True, kw_only=True)
class Workload:
    """One workload as the platform describes it.

    Attributes:
        cause: why it is wanted so.
        address: base URL as the gateway sees it.
        age_s: seconds since it was started (created, while it never was), by the platform's clock.
        starts: how often it was started since it was last marked running, or stopped.
        port_lost: it ended, and a stranger has its port.
        silent_s: seconds since its present run was noted as silent; None where it is not.
        kept_alive: its platform was told to bring it back by itself, or is not one that does.
        comes_back: it ended, and its platform is about to start it again.
    """

    record: Record
    wanted: Wanted
    cause: str
    phase: Phase
    address: str
    age_s: float
    starts: int = 0
    ending: Ending | None = None
    port_lost: bool = False
    stamps_revision: bool = False
    silent_s: float | None = None
    kept_alive: bool = True
    comes_back: bool = False

    @property
    def ref(self) -> Ref:
        return Ref(self.record.server, self.record.revision, self.record.token)

    @property
    def revision(self) -> int:
        return self.record.revision


@dataclass(frozen=True)
class Unreadable:
    """Something that claims to be ours and cannot be read; reported, never touched.

    Attributes:
        server: platform name of the model server that it claims to be of; empty where it names none.
    """

    where: str
    reason: str
    server: str = ""


class Engine(Protocol):
    """Runs workloads on one platform.

    Every method raises `Transient` for what may go better next time and another `DeployerError`
    for what will not; a ref whose workload is gone, or carries another token, makes a no-op.
    """

    def list(self, server: str | None = None) -> list[Workload]:
        """All workloads of ours, or those of one server, in one platform call; never probes."""
        ...

    def probe(self, workloads: Sequence[Workload], deadline_s: float) -> dict[Ref, Readiness]:
        """Ask running workloads for their health, in parallel, within so many seconds in all."""
        ...

    def create(self, spec: WorkloadSpec) -> Workload:
        """Make the workload, complete and not started.

        Raises:
            WorkloadExists: the server has one of that revision: this is the lock between deployers.
        """
        ...

    def mark(self, ref: Ref, wanted: Wanted, cause: str) -> None:
        """Write down what it shall be, and why; `running` begins its count of starts anew.

        What is marked refused stays so: only another cause may be written down.
        """
        ...

    def start(self, ref: Ref) -> None:
        """Start it if it is marked running and does not run; returns once it runs, ready or not.

        Raises:
            ModelGone: its bytes or its environment are not here; they are had again, and it is asked once more.
        """
        ...

    def stop(self, ref: Ref, grace_s: float) -> None:
        """End it, by force after `grace_s` seconds; returns once it does not run. Its count of starts begins anew."""
        ...

    def delete(self, ref: Ref) -> None:
        """Remove it and what it alone uses.

        Raises:
            EngineError: it runs.
        """
        ...


@runtime_checkable
class KeepsLogs(Protocol):
    """An engine that keeps what its workloads write."""

    def log(self, ref: Ref, tail: int, follow: bool = False) -> Iterator[str]:
        """The last `tail` lines without their line ends; with `follow` also what comes, until it ends."""
        ...


@runtime_checkable
class MeasuresLogs(Protocol):
    """An engine that knows how much it keeps of what its workloads write."""

    def log_bytes(self, ref: Ref) -> int: ...


@runtime_checkable
class RemembersSilence(Protocol):
    """An engine that remembers, where a workload runs, since when it does not answer, and can end what hangs."""

    def note_silence(self, ref: Ref, silent: bool) -> None:
        """Note that its present run is silent from now on, unless that is noted already; or that it answers again."""
        ...

    def kill_silent(self, ref: Ref, silent_s: float) -> None:
        """Kill its present run, without grace, if it was silent for so long and is so when asked right before.

        Returns once that run has ended; one that came after it is left alone. What answers is noted so.
        """
        ...


@runtime_checkable
class KeepsAlive(Protocol):
    """An engine that can have its platform bring back by itself what ends, also after a restart of the machine."""

    def keep_alive(self, ref: Ref) -> None:
        """From now on, until it is stopped; before that, an end is seen by whoever waits for it."""
        ...


@runtime_checkable
class KeepsModels(Protocol):
    """An engine that has copies of its own of the models that it runs."""

    def copy_model(self, digest: str, folder: Path) -> bool:
        """Put its copy into an empty folder, as `folder/…` or `file/NAME`; False where it has none."""
        ...

    def collect_models(self, keep: Set[str]) -> None:
        """Remove its copies of models that are not in `keep`, that nothing uses, and that are a day old."""
        ...


@runtime_checkable
class ReportsUnreadable(Protocol):
    """An engine, or a gateway, that can find things that claim to be ours."""

    def unreadable(self) -> list[Unreadable]: ...


def unreadable_by(part: object) -> list[Unreadable]:
    """What an engine or a gateway cannot read; nothing, where it cannot find any."""
    return part.unreadable() if isinstance(part, ReportsUnreadable) else []


def hides_names(engine: Engine) -> bool:
    """Whether something cannot be read: it may name any model, and any environment."""
    return bool(unreadable_by(engine))


@runtime_checkable
class Sweeps(Protocol):
    """An engine whose calls, cut short, leave something that nobody sees."""

    def sweep(self) -> None:
        """Clear it up, where whoever left it is long done."""
        ...
