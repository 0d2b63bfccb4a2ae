"""Transient errors of a platform, met with patience."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_random_exponential

from deployer.engine import (
    Engine,
    KeepsAlive,
    Readiness,
    Ref,
    RemembersSilence,
    Unreadable,
    Wanted,
    Workload,
    WorkloadSpec,
    unreadable_by,
)
from deployer.errors import PrefectUnavailable, Transient, Unsupported
from deployer.gateway import Gateway, Route, Split, Tag

Result = TypeVar("Result")
Unreadables = list[Unreadable]
ATTEMPTS = 4
LONGEST_WAIT_S = 2


def patiently(call: Callable[..., Result], *args: object) -> Result:
    """Call it, again after each `Transient`, four times in all and some seconds at most.

    A Prefect server that does not answer has been waited for already, for longer than that.
    """
    retrying = Retrying(
        retry=retry_if_exception(_may_go_better_soon),
        stop=stop_after_attempt(ATTEMPTS),
        wait=wait_random_exponential(multiplier=0.1, max=LONGEST_WAIT_S),
        reraise=True,
    )
    return retrying(call, *args)


def _may_go_better_soon(error: BaseException) -> bool:
    return isinstance(error, Transient) and not isinstance(error, PrefectUnavailable)


class PatientEngine:
    """An engine whose transient errors are retried; every method may be called twice."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def list(self, server: str | None = None) -> list[Workload]:
        return patiently(self._engine.list, server)

    def probe(self, workloads: Sequence[Workload], deadline_s: float) -> dict[Ref, Readiness]:
        return patiently(self._engine.probe, workloads, deadline_s)

    def create(self, spec: WorkloadSpec) -> Workload:
        return patiently(self._engine.create, spec)

    def mark(self, ref: Ref, wanted: Wanted, cause: str) -> None:
        patiently(self._engine.mark, ref, wanted, cause)

    def start(self, ref: Ref) -> None:
        patiently(self._engine.start, ref)

    def stop(self, ref: Ref, grace_s: float) -> None:
        patiently(self._engine.stop, ref, grace_s)

    def delete(self, ref: Ref) -> None:
        patiently(self._engine.delete, ref)

    def note_silence(self, ref: Ref, silent: bool) -> None:
        patiently(self._remembering(ref).note_silence, ref, silent)

    def kill_silent(self, ref: Ref, silent_s: float) -> None:
        patiently(self._remembering(ref).kill_silent, ref, silent_s)

    def keep_alive(self, ref: Ref) -> None:
        """Only what such an engine lists asks for it."""
        if isinstance(self._engine, KeepsAlive):
            patiently(self._engine.keep_alive, ref)

    def _remembering(self, ref: Ref) -> RemembersSilence:
        """Another library's flavor may have taken a config that this one refuses."""
        if isinstance(self._engine, RemembersSilence):
            return self._engine
        what = f"{ref} does not answer, and this flavor restarts nothing that hangs."
        raise Unsupported(what, hint="Stop it with force, then start it.")

    def unreadable(self) -> Unreadables:
        """Nothing, where the engine cannot find any."""
        return patiently(unreadable_by, self._engine)


class PatientGateway:
    """A gateway whose transient errors are retried, but for those that a deadline of its own tells."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    def ensure(self) -> None:
        self._gateway.ensure()

    def url(self, server: str) -> str:
        return self._gateway.url(server)

    def routes(self, server: str | None = None) -> dict[str, Route]:
        return patiently(self._gateway.routes, server)

    def write(self, server: str, split: Split, high: int, seen: Tag) -> Tag:
        return patiently(self._gateway.write, server, split, high, seen)

    def acknowledge(self, server: str, tag: Tag, deadline_s: float) -> None:
        self._gateway.acknowledge(server, tag, deadline_s)

    def remove(self, server: str, seen: Tag) -> None:
        patiently(self._gateway.remove, server, seen)
