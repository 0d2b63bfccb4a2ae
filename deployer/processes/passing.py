"""Errors of the system that may be gone at the next try."""

import errno

PASSING = frozenset({errno.EAGAIN, errno.EINTR, errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
AGAIN = "The machine lacks descriptors, memory or the like just now: try again."


def passes(error: BaseException) -> bool:
    """Whether the system lacks something just now, as descriptors or memory; what was asked may be right."""
    return isinstance(error, OSError) and error.errno in PASSING
