import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from deployer.cli.doctor import systemd
from deployer.cli.doctor.finding import Status
from deployer.cli.session import Session

SESSION = Session("process")
OF_THE_SYSTEM = "0::/system.slice/prefect-worker.service\n"
OF_A_USER = "0::/user.slice/user-1000.slice/user@1000.service/app.slice/worker.service\n"


@pytest.mark.parametrize(
    ("cgroup", "unit"),
    [
        (OF_THE_SYSTEM, ("prefect-worker.service", False)),
        ("0::/system.slice/prefect-worker.service/child\n", ("prefect-worker.service", False)),
        (OF_A_USER, ("worker.service", True)),
        ("12:pids:/system.slice/cron.service\n1:name=systemd:/system.slice/cron.service\n", ("cron.service", False)),
        ("0::/user.slice/user-1000.slice/session-3.scope\n", None),
        ("0::/user.slice/user-1000.slice/user@1000.service/app.slice/app-xterm.scope\n", None),
        ("0::/\n", None),
        ("", None),
    ],
)
def test_the_unit_around_a_process_is_told_by_its_cgroup(cgroup: str, unit: tuple[str, bool] | None) -> None:
    assert systemd.unit_of(cgroup) == unit


@pytest.mark.parametrize(
    ("mode", "status"),
    [
        ("control-group", Status.WARN),
        ("mixed", Status.WARN),
        ("process", Status.OK),
        ("none", Status.OK),
        ("", Status.INFO),
    ],
)
def test_a_unit_that_ends_all_of_its_processes_is_warned_of(mode: str, status: Status) -> None:
    finding = systemd.judged({"prefect-worker.service": mode})
    assert finding.status is status
    assert "prefect-worker.service" in finding.what
    if status is Status.WARN:
        assert "KillMode=process" in finding.hint


def test_of_several_units_the_bad_one_is_named() -> None:
    assert "worse.service" in systemd.judged({"good.service": "process", "worse.service": "mixed"}).what


def test_systemd_is_asked_about_the_units_around_workers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = tmp_path / "asked"
    systemctl = tmp_path / "systemctl"
    systemctl.write_text(f'#!/bin/sh\necho "$@" >> {asked}\necho control-group\n')
    systemctl.chmod(systemctl.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    program = [sys.executable, "-c", "import sys; sys.stdin.read()", "prefect", "worker", "start", "--pool", "p"]
    with subprocess.Popen(program, stdin=subprocess.PIPE) as worker:
        cgroups = {"self": "0::/\n", str(worker.pid): OF_A_USER}
        monkeypatch.setattr(systemd, "_cgroup", lambda pid: cgroups.get(pid, ""))
        finding = systemd.kill_mode(SESSION)
        worker.communicate()
    assert finding.status is Status.WARN
    assert "worker.service has KillMode=control-group" in finding.what
    assert asked.read_text() == "--user show --property=KillMode --value worker.service\n"


def test_outside_of_units_there_is_nothing_to_warn_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(systemd, "_cgroup", lambda pid: "0::/user.slice/session-1.scope\n")
    assert systemd.kill_mode(SESSION).status is Status.OK
