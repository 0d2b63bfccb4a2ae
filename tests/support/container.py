"""A container, as far as processes are concerned: a pid namespace of its own; files and network are this machine's."""

import os
import pickle
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from deployer.testing.harness import Harness
from deployer.testing.victims import Act

KERNEL = Path("/proc/sys/kernel")
NAMESPACES = ("--pid", "--mount")
INIT = """
import signal, sys
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
open("/proc/sys/kernel/ns_last_pid", "w").write(sys.argv[1])
print("up", flush=True)
sys.stdin.read()
"""
WORK = """
import pickle, sys
harness, act = pickle.load(sys.stdin.buffer)
try:
    told = act(harness.deployer()), None
except Exception as error:
    told = None, error
pickle.dump(told, sys.stdout.buffer)
"""
DONE_WITHIN_S = 60.0
LOWEST, GIVEN_OUT_THERE = 1_000, 500


@dataclass(frozen=True)
class Container:
    """It runs as long as its init does."""

    init: psutil.Process

    def do(self, harness: Harness, act: Act) -> Any:
        """Let a deployer in there do it; what that returns or raises."""
        command = ["nsenter", f"--target={self.init.pid}", *NAMESPACES, sys.executable, "-c", WORK]
        asked = pickle.dumps((harness, act))
        done = subprocess.run(command, input=asked, stdout=subprocess.PIPE, timeout=DONE_WITHIN_S, check=True)
        returned, raised = pickle.loads(done.stdout)
        if raised:
            raise raised
        return returned

    def end(self) -> None:
        """Kill it, and with it all that runs in there."""
        self.init.kill()
        self.init.wait(DONE_WITHIN_S)


@contextmanager
def container() -> Iterator[Container]:
    """One that runs; it is killed afterwards."""
    init = [sys.executable, "-c", INIT, str(_pid_far_from_those_given_out_here())]
    command = ["unshare", *NAMESPACES, "--mount-proc", "--fork", "--kill-child", *init]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as unshare:
        assert unshare.stdin and unshare.stdout
        try:
            assert unshare.stdout.readline() == "up\n"
            (child,) = psutil.Process(unshare.pid).children()
            yield Container(child)
        finally:
            unshare.kill()


def why_none() -> str:
    """Why there can be no container here; empty where there can, or where one must: then its lack is a failure."""
    if os.environ.get("ENGINES"):
        return ""
    if shutil.which("unshare") is None or shutil.which("nsenter") is None:
        return "unshare or nsenter is missing (util-linux)"
    tried = subprocess.run(["unshare", *NAMESPACES, "--mount-proc", "--fork", "true"], capture_output=True, check=False)
    return tried.stderr.decode().strip()


def _pid_far_from_those_given_out_here() -> int:
    """So that a stranger can be given the same number here: threads have numbers too, and some live for long."""
    last, most = (int((KERNEL / name).read_text()) for name in ("ns_last_pid", "pid_max"))
    taken = {int(task.name) for task in Path("/proc").glob("[0-9]*/task/[0-9]*")}
    far = ((last + most // 2 + step * GIVEN_OUT_THERE) % most for step in range(most // 2 // GIVEN_OUT_THERE))
    free = (first for first in far if taken.isdisjoint(range(first, first + GIVEN_OUT_THERE)))
    return next(first for first in free if LOWEST <= first < most - GIVEN_OUT_THERE)
