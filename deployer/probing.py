"""Asks workloads whether they are ready, all at once, within one deadline."""

import queue
import threading
import time
from collections.abc import Callable, Sequence

from deployer.engine import Health, Readiness, Ref, Workload

THREADS = 64
USUAL_TIMEOUT_S = 2.0
"""For one answer, where a config says nothing."""
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
