"""What a starter does once its server runs: waits for it, keeps its log within its size, writes down its end."""

import contextlib
import os
import select
import signal
import time
from pathlib import Path
from typing import NamedTuple

from deployer.processes import cgroup, files
from deployer.processes.identity import boot_id, uptime_s
from deployer.processes.log import keep_within

LOOK_AT_LOG_EVERY_S = 3.0
GROUP_PATIENCE_S = 2.0


class Confined(NamedTuple):
    """The group of the server, and its limit on memory in its config's words; empty where it has none."""

    group: cgroup.Group
    memory: str


def stay(server: int, folder: Path, log_limit: int, stable_s: float, confined: Confined | None = None) -> None:
    """Return once the server and what is left of its process group have ended and `ended` is written."""
    began = time.monotonic()
    woken = _wake_on_child()
    while (exit_code := _exit_code(server)) is None:
        select.select([woken], [], [], LOOK_AT_LOG_EVERY_S)
        _drain(woken)
        with contextlib.suppress(OSError):
            keep_within(folder / files.LOG, log_limit)
    _end_group(server)
    if time.monotonic() - began >= stable_s:
        (folder / files.STARTS).unlink(missing_ok=True)
    ended: dict[str, object] = {"exit_code": exit_code, "boot": boot_id(), "at": uptime_s()}
    if confined:
        if confined.memory and confined.group.ran_out_of_memory:
            ended["memory"] = confined.memory
        cgroup.remove(confined.group.path)
    files.write(folder / files.ENDED, ended)


def _wake_on_child() -> int:
    woken, wake = os.pipe()
    os.set_blocking(woken, False)
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    return woken


def _drain(woken: int) -> None:
    with contextlib.suppress(BlockingIOError):
        os.read(woken, 512)


def _exit_code(server: int) -> int | None:
    """None while it runs. It is not reaped where that can be: until then its pid and its group's are nobody else's."""
    if not hasattr(os, "waitid"):
        pid, status = os.waitpid(server, os.WNOHANG)
        return os.waitstatus_to_exitcode(status) if pid else None
    end = os.waitid(os.P_PID, server, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    if end is None:
        return None
    return end.si_status if end.si_code == os.CLD_EXITED else -end.si_status


def _end_group(server: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(server, signal.SIGKILL)
    with contextlib.suppress(ChildProcessError):
        os.waitpid(server, 0)
    deadline = time.monotonic() + GROUP_PATIENCE_S
    with contextlib.suppress(ProcessLookupError, PermissionError):
        while time.monotonic() < deadline:
            os.killpg(server, 0)
            time.sleep(0.005)
