"""A check of the systemd unit around a worker, whose restart would end every server."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psutil

from deployer.cli.doctor.finding import Finding, info, ok, warn
from deployer.cli.session import Session

UNIT = re.compile(r"/([^/]+\.service)(?=/|$)")
OF_A_USER = re.compile(r"/user@\d+\.service/")
WORKER = ("worker", "start")
ANSWERS_WITHIN_S = 3.0


def kill_mode(session: Session) -> Finding:
    """What a restart of the units around us and around Prefect's workers does to the servers started there."""
    units = {unit for cgroup in _cgroups() if (unit := unit_of(cgroup))}
    if not units:
        return ok("Neither this process nor a Prefect worker on this machine runs in a systemd unit.")
    modes = {unit: _kill_mode(*unit) for unit in sorted(units)}
    return judged({name: mode for (name, _), mode in modes.items()})


def unit_of(cgroup: str) -> tuple[str, bool] | None:
    """The service around a process whose /proc/…/cgroup says so, and whether it is a user's own."""
    for line in cgroup.splitlines():
        path = line.split(":", 2)[-1]
        names = UNIT.findall(path)
        of_user = bool(OF_A_USER.search(path))
        if of_user:
            names = names[1:]  # The first is the user's manager.
        if names:
            return names[-1], of_user
    return None


def judged(modes: dict[str, str]) -> Finding:
    """What the KillMode of those units means."""
    bad = [name for name, mode in modes.items() if mode not in ("process", "none", "")]
    if bad:
        name = bad[0]
        return warn(
            f"The systemd unit {name} has KillMode={modes[name]}: when it stops or restarts, it ends the model servers "
            "that were started there.",
            f"`systemctl edit {name}` (with --user for a user's own), and write KillMode=process under [Service].",
        )
    unknown = [name for name, mode in modes.items() if not mode]
    if unknown:
        return info(
            f"The KillMode of the systemd unit {unknown[0]} cannot be told.", "It should be KillMode=process there."
        )
    return ok(f"{', '.join(modes)}: model servers outlive a restart (KillMode=process).")


def _cgroups() -> Iterator[str]:
    yield _cgroup("self")
    for process in psutil.process_iter(["cmdline"]):
        words = process.info["cmdline"] or []
        if any("prefect" in word for word in words) and tuple(w for w in words if w in WORKER) == WORKER:
            yield _cgroup(str(process.pid))


def _cgroup(pid: str) -> str:
    try:
        return Path("/proc", pid, "cgroup").read_text()
    except OSError:
        return ""


def _kill_mode(name: str, of_user: bool) -> str:
    systemctl = shutil.which("systemctl")
    if systemctl is None:
        return ""
    command = [systemctl, *(["--user"] if of_user else []), "show", "--property=KillMode", "--value", name]
    try:
        ran = subprocess.run(command, capture_output=True, text=True, timeout=ANSWERS_WITHIN_S, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return ran.stdout.strip() if ran.returncode == 0 else ""
