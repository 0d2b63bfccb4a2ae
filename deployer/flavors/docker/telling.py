"""A step of a preparation, told while it is done."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from deployer.rollout.steps import OnProgress, Progress, Step


@contextmanager
def told_as(step: Step, name: str, on_progress: OnProgress) -> Iterator[Callable[[str], None]]:
    """It has begun, goes on as each call says, and is done unless an error comes.

    Args:
        name: the server's.
    """
    began = time.monotonic()
    on_progress(Progress(name, step))
    yield lambda detail: on_progress(Progress(name, step, detail=detail))
    on_progress(Progress(name, step, time.monotonic() - began))
