"""What a check finds."""

from dataclasses import dataclass
from enum import StrEnum


class Status(StrEnum):
    """How it stands. `info`: a fact that needs no mending; `warn`: something may go wrong; `fail`: it does."""

    OK = "ok"
    INFO = "info"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True)
class Finding:
    """What one check found.

    Attributes:
        what: a sentence.
        hint: how to mend it, or what it means.
    """

    status: Status
    what: str
    hint: str = ""


def ok(what: str, hint: str = "") -> Finding:
    return Finding(Status.OK, what, hint)


def info(what: str, hint: str = "") -> Finding:
    return Finding(Status.INFO, what, hint)


def warn(what: str, hint: str = "") -> Finding:
    return Finding(Status.WARN, what, hint)


def fail(what: str, hint: str = "") -> Finding:
    return Finding(Status.FAIL, what, hint)
