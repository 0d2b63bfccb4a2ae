"""Two ways of getting the same, by turns, each with nothing remembered."""

import functools
import gc
import sys
import time
from collections.abc import Callable

ROUNDS = 21


def by_turns(
    one: Callable[[], object],
    other: Callable[[], object],
    rounds: int = ROUNDS,
    clock: Callable[[], float] = time.process_time,
) -> list[tuple[float, float]]:
    """Seconds of one and of the other, round by round, after a first round that does not count.

    Args:
        clock: processor seconds; for what waits for another program, those of a clock.

    Python's garbage collector rests meanwhile, for both: what it costs is decided by all else that a process holds.
    """
    return [(_cold(one, clock), _cold(other, clock)) for _ in range(rounds + 1)][1:]


def _cold(ask: Callable[[], object], clock: Callable[[], float]) -> float:
    """Seconds of whoever asks for the first time."""
    _forget()
    gc.collect()
    gc.disable()
    try:
        began = clock()
        ask()
        return clock() - began
    finally:
        gc.enable()


def _forget() -> None:
    """Empty the library's own caches."""
    for name, module in tuple(sys.modules.items()):
        if name.partition(".")[0] == "deployer":
            for thing in vars(module).values():
                if isinstance(thing, functools._lru_cache_wrapper):
                    thing.cache_clear()
