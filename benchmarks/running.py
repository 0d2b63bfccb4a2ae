"""find_model_server(running=True) where one of a hundred servers hangs."""

import os
import signal
import time

from benchmarks.figure import Figure, at_most, compared_with, spread
from benchmarks.many import NEVER_REPLACED, serve_many
from benchmarks.served import process_deployer
from deployer.flavors.process.deployer import ProcessModelDeployer

COUNT, ROUNDS = 100, 11
BAR_S = 1.0
READY_WITHIN_S = 60.0


def figures() -> list[Figure]:
    with process_deployer() as deployer:
        serve_many(deployer, COUNT, NEVER_REPLACED)
        _await_ready(deployer)
        well = [_found(deployer)[0] for _ in range(ROUNDS)]
        _hang_one(deployer)
        one_hung = [_found(deployer) for _ in range(ROUNDS)]
    found = sorted(count for _, count in one_hung)
    least_and_most = f"{found[0]} to {found[-1]} of {COUNT}"
    return [
        compared_with(f"find(running=True), all {COUNT} well", spread(well, "s", digits=2)),
        at_most(f"find(running=True), 1 of {COUNT} hung", [seconds for seconds, _ in one_hung], BAR_S, "s", digits=2),
        Figure("… how many it finds", least_and_most, f"{COUNT - 1} each time", set(found) == {COUNT - 1}),
    ]


def _found(deployer: ProcessModelDeployer) -> tuple[float, int]:
    began = time.perf_counter()
    count = len(deployer.find_model_server(running=True))
    return time.perf_counter() - began, count


def _await_ready(deployer: ProcessModelDeployer) -> None:
    until = time.monotonic() + READY_WITHIN_S
    while _found(deployer)[1] < COUNT:
        assert time.monotonic() < until, "not all servers became ready"


def _hang_one(deployer: ProcessModelDeployer) -> None:
    pid = deployer.engine.pid(deployer.engine.list()[0].ref)
    assert pid
    os.kill(pid, signal.SIGUSR2)
    until = time.monotonic() + READY_WITHIN_S
    while _found(deployer)[1] == COUNT:
        assert time.monotonic() < until, "it answers on"
