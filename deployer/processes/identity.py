"""Which process a pid meant when it was written down, told apart from any that got the pid later."""

import os
import sys
import time
from functools import cache
from pathlib import Path
from typing import NamedTuple

from deployer.processes.passing import passes

LINUX = sys.platform == "linux"


class Identity(NamedTuple):
    """One process for good.

    Attributes:
        boot: names the machine's present run; empty where `start` alone tells processes apart.
        namespace: names the set of pids that `pid` belongs to.
        start: seconds on the clock of `uptime_s`.
    """

    boot: str
    namespace: str
    pid: int
    start: float

    @property
    def is_here(self) -> bool:
        """Whether its pid means anything to this process."""
        return (self.boot, self.namespace) == (boot_id(), pid_namespace())

    @property
    def is_elsewhere(self) -> bool:
        """Whether its pid was given in another pid namespace, as in a container, since the machine was started."""
        return self.boot == boot_id() and self.namespace != pid_namespace()

    @property
    def lives(self) -> bool:
        """Whether that very process is there, be it as a zombie."""
        return self.is_here and start_of(self.pid) == self.start

    @property
    def age_s(self) -> float | None:
        """Seconds since it started; None once the machine was restarted."""
        return uptime_s() - self.start if self.boot == boot_id() else None


def identify(pid: int) -> Identity | None:
    """The identity of the process that has that pid now."""
    start = start_of(pid)
    return None if start is None else Identity(boot_id(), pid_namespace(), pid, start)


def start_of(pid: int) -> float | None:
    """When the process of that pid started, on the clock of `uptime_s`; None where there is none.

    Raises:
        OSError: it cannot be told just now.
    """
    if not LINUX:
        return _start_by_psutil(pid)
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError as error:
        if passes(error):
            raise
        return None
    return int(fields[19]) / os.sysconf("SC_CLK_TCK")


def _start_by_psutil(pid: int) -> float | None:
    import psutil

    try:
        return psutil.Process(pid).create_time()
    except psutil.Error:
        return None


def uptime_s() -> float:
    """Seconds on a clock that nobody sets; the wall clock where the system tells starts by it."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if sys.platform == "linux" else time.time()


@cache
def boot_id() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip() if LINUX else ""


def pid_namespace() -> str:
    return os.readlink("/proc/self/ns/pid") if LINUX else ""
