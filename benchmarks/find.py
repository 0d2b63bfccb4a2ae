"""find_model_server beside reading all that it must read: of each server its record, its marks, its lock, its route."""

from collections.abc import Callable
from functools import partial

from benchmarks.compared import by_turns
from benchmarks.figure import Figure, at_most, compared_with, median, spread
from benchmarks.many import NEVER_REPLACED, OFTEN_REPLACED, memory_deployer, serve_many
from benchmarks.raw import read_folders, read_memory
from benchmarks.served import process_deployer
from deployer.engine_deployer import EngineModelDeployer

IN_MEMORY, STOPPED = 1000, 200
BAR = 1.3


def figures() -> list[Figure]:
    return [
        figure
        for replaced in (OFTEN_REPLACED, NEVER_REPLACED)
        for figure in (*_in_memory(replaced), *_stopped(replaced))
    ]


def _in_memory(replaced: int) -> list[Figure]:
    with memory_deployer() as deployer:
        serve_many(deployer, IN_MEMORY, replaced)
        return _beside(deployer, partial(read_memory, deployer.platform), f"{IN_MEMORY:,} in memory", replaced)


def _stopped(replaced: int) -> list[Figure]:
    with process_deployer() as deployer:
        serve_many(deployer, STOPPED, replaced, stopped=True)
        return _beside(deployer, partial(read_folders, deployer.state_dir), f"{STOPPED} stopped processes", replaced)


def _beside(deployer: EngineModelDeployer, read: Callable[[], list[object]], what: str, replaced: int) -> list[Figure]:
    count = len(read())
    assert len(deployer.find_model_server()) == count
    what = f"{what}, each replaced {replaced} times"
    rounds = by_turns(read, deployer.find_model_server)
    least = spread([reading for reading, _ in rounds], "ms", 1000)
    rate = count / median([found for _, found in rounds])
    return [
        compared_with(f"read {what}: record, marks, lock, route (for both: garbage not collected)", least),
        at_most(
            f"find {what} ({rate:,.0f} a second)", [found / reading for reading, found in rounds], BAR, "x", digits=2
        ),
    ]
