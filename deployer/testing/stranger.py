"""A process that is nobody's and has the pid that it was told to have; run as a program, with that pid as argument.

It holds back every signal that can be held back, so that the system tells which it was sent; it ends with
its input.
"""

import ctypes
import errno
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

SYS_CLONE3 = 435
CLONE_ARGS = (
    *("flags", "pidfd", "child_tid", "parent_tid", "exit_signal"),
    *("stack", "stack_size", "tls", "set_tid", "set_tid_size", "cgroup"),
)
HERE = b"here\n"
ENDS_WITHIN_S = 10.0


@dataclass(frozen=True)
class Stranger:
    """It leads a process group of its own, so a signal for the group of that pid would reach it too."""

    pid: int

    def harm(self) -> str:
        """What was done to it, in words; empty where nothing was."""
        try:
            lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        except OSError:
            return "it was killed"
        told = dict(line.split(":\t", 1) for line in lines if ":\t" in line)
        if told["State"][0] not in "RS":
            return f"it is {told['State']}"
        sent = int(told["SigPnd"], 16) | int(told["ShdPnd"], 16)
        return ", ".join(f"it was sent {number!r}" for number in signal.valid_signals() if sent >> number - 1 & 1)


@contextmanager
def stranger(pid: int) -> Iterator[Stranger]:
    """A stranger with that pid, which nobody has; it lives as long as the context is open."""
    command = [sys.executable, "-I", "-S", __file__, str(pid)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as starter:
        assert starter.stdin and starter.stdout
        try:
            assert starter.stdout.readline() == HERE, f"no process could be given the pid {pid}"
            yield Stranger(pid)
        finally:
            starter.stdin.close()
            starter.wait(ENDS_WITHIN_S)


def can_be_had() -> bool:
    """Whether the system lets this process choose a pid: Linux does, for root."""
    if sys.platform != "linux":
        return False
    try:
        fork_as(os.getpid())
    except OSError as refusal:
        return refusal.errno == errno.EEXIST
    raise AssertionError("two processes have one pid")


class _Clone(ctypes.Structure):
    _fields_ = [(name, ctypes.c_uint64) for name in CLONE_ARGS]


def fork_as(pid: int) -> int:
    """Fork, for a process of one thread; the child has that pid.

    Raises:
        OSError: somebody has it, or the system gives nobody a chosen one.
    """
    library, pids = ctypes.PyDLL(None, use_errno=True), (ctypes.c_int32 * 1)(pid)
    asked = _Clone(exit_signal=signal.SIGCHLD, set_tid=ctypes.addressof(pids), set_tid_size=1)
    forked = int(library.syscall(SYS_CLONE3, ctypes.byref(asked), ctypes.sizeof(asked)))
    if forked < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return forked


def main() -> int:
    """Fork the stranger, and exit once it has ended."""
    if fork_as(int(sys.argv[1])) == 0:
        os.setsid()
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        os.write(1, HERE)
        os.read(0, 1)
        os._exit(0)
    os.wait()
    return 0


if __name__ == "__main__":
    sys.exit(main())
