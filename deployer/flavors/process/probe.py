"""Asks workloads whether they are ready, all at once, within one deadline."""

import queue
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from deployer.engine import Health, Phase, Readiness, Ref, Workload
from deployer.flavors.process.folder import NotReadable, WorkloadFolder
from deployer.http import NoAnswer, request
from deployer.processes.listeners import listens

THREADS = 64
USUAL_TIMEOUT_S = 2.0
NOT_IN_TIME = Readiness(Health.SILENT, "it was not asked to the end within the time there was")

Ask = Callable[[Workload, float], Readiness]


def probe_all(workloads: Sequence[Workload], ask: Ask, deadline_s: float) -> dict[Ref, Readiness]:
    """Every workload's answer; the threads are left to themselves if they hang."""
    deadline = time.monotonic() + deadline_s
    waiting: queue.SimpleQueue[Workload] = queue.SimpleQueue()
    answers: queue.SimpleQueue[tuple[Ref, Readiness]] = queue.SimpleQueue()
    for workload in workloads:
        waiting.put(workload)
    for _ in range(min(len(workloads), THREADS)):
        threading.Thread(target=_work, args=(waiting, answers, ask, deadline), daemon=True).start()
    found = {workload.ref: NOT_IN_TIME for workload in workloads}
    try:
        for _ in range(len(found)):
            ref, readiness = answers.get(timeout=max(0.0, deadline - time.monotonic()))
            found[ref] = readiness
    except queue.Empty:
        pass
    return found


def _work(
    waiting: "queue.SimpleQueue[Workload]",
    answers: "queue.SimpleQueue[tuple[Ref, Readiness]]",
    ask: Ask,
    deadline: float,
) -> None:
    while (left := deadline - time.monotonic()) > 0:
        try:
            workload = waiting.get_nowait()
        except queue.Empty:
            return
        answers.put((workload.ref, _answer(ask, workload, left)))


def _answer(ask: Ask, workload: Workload, left: float) -> Readiness:
    """Its answer; what befalls whoever asks says nothing of the workload."""
    try:
        return ask(workload, left)
    except Exception as error:
        return Readiness(Health.SILENT, f"it could not be asked: {type(error).__name__}: {error}")


@dataclass(frozen=True)
class Prober:
    """Asks one workload, and makes sure that it was that workload which answered."""

    folder: WorkloadFolder

    def ask(self, workload: Workload, left_s: float) -> Readiness:
        if workload.phase is not Phase.RUNNING:
            return Readiness(Health.UNREACHED, "it does not run")
        probes = workload.record.config.probes
        timeout_s = min(left_s, probes.timeout_s if probes else USUAL_TIMEOUT_S)
        try:
            path = (probes.path if probes else "") or self.folder.launch().readiness_path
            answer = request("GET", f"{workload.address}/{path.removeprefix('/')}", timeout_s=timeout_s)
        except NoAnswer as no:
            return Readiness(Health.SILENT if no.timed_out else Health.UNREACHED, no.reason)
        except (FileNotFoundError, NotADirectoryError, NotReadable):
            return Readiness(Health.UNREACHED, "it is gone")
        if not answer.ok:
            return Readiness(Health.SICK, f"{path} answers {answer.status}: {answer.first_line}".rstrip(": "))
        return self._whose(urlsplit(workload.address).port or 0)

    def _whose(self, port: int) -> Readiness:
        identity = self.folder.identity()
        if not self.folder.held() or identity is None:
            return Readiness(Health.UNREACHED, "it answered, and ended since")
        if not identity.is_elsewhere and not (identity.lives and listens(identity.pid, port)):
            return Readiness(Health.UNREACHED, f"a stranger answers on port {port}")
        return Readiness(Health.READY)
