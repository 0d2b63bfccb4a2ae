"""Locks that the kernel frees when their last holder ends."""

import fcntl
import time

RETRY_S = 0.005


def shared(descriptor: int) -> bool:
    """Whether the lock could be shared, that is: nobody holds it for himself."""
    return _locked(descriptor, fcntl.LOCK_SH)


def exclusive(descriptor: int, patience_s: float = 1.0) -> bool:
    """Whether the lock could be had alone; tried for a while, as observers share it for an instant."""
    deadline = time.monotonic() + patience_s
    while not (locked := _locked(descriptor, fcntl.LOCK_EX)) and time.monotonic() < deadline:
        time.sleep(RETRY_S)
    return locked


def _locked(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
