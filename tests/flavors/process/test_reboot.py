"""The machine is restarted: whatever ran is dead, unseen, and every file tells of an earlier boot."""

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest

from deployer.engine import Phase
from deployer.processes import files
from deployer.processes.identity import boot_id
from deployer.rollout.plan import GIVE_UP_AFTER_STARTS
from deployer.server import State
from deployer.testing.hammer import Reply
from deployer.testing.impostor import impostor
from deployer.testing.process import ProcessHarness

EARLIER_BOOT = "11111111-2222-3333-4444-555555555555"
EARLIER_CLOCK = 10.0**9
"""An uptime that no machine of a test has."""


@pytest.fixture
def harness(tmp_path: Path) -> Iterator[ProcessHarness]:
    with closing(ProcessHarness(tmp_path)) as mine:
        yield mine


def reboot(harness: ProcessHarness) -> None:
    ours = [p for p in psutil.process_iter() if any(str(harness.state_dir) in word for word in _words_of(p))]
    for process in sorted(ours, key=lambda p: "deployer.processes.starter" not in _words_of(p)):
        process.kill()
    psutil.wait_procs(ours, 10)
    for name in (files.PID, files.ENDED, files.STARTS):
        for path in harness.state_dir.rglob(name):
            path.write_text(_of_an_earlier_boot(path.read_text()))


def _of_an_earlier_boot(text: str) -> str:
    try:
        told = json.loads(text)
    except ValueError:
        return text.replace(boot_id(), EARLIER_BOOT)
    return json.dumps(
        {**told, "boot": EARLIER_BOOT, **{clock: EARLIER_CLOCK for clock in ("start", "at") if clock in told}}
    )


def _words_of(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def test_after_a_reboot_all_is_dead_and_reconcile_brings_it_back_as_it_was(harness: ProcessHarness) -> None:
    deployer = harness.deployer()
    for answer in ("v1", "v2"):
        deployer.deploy_model(harness.config(answer), replace=True)
    fraud = deployer.deploy_model(harness.config("f1", model_name="fraud"))
    resting = deployer.deploy_model(harness.config("r1", model_name="resting"))
    deployer.stop_model_server(resting.uuid)
    before = deployer.find_model_server()
    reboot(harness)
    found = {server.name: server for server in harness.deployer().find_model_server()}
    assert {name: server.state for name, server in found.items()} == {
        "churn": State.FAILED,
        "fraud": State.FAILED,
        "resting": State.STOPPED,
    }
    assert "restarted" in found["churn"].message and "reconcile" in found["churn"].message
    assert not harness.ask(fraud).ok
    assert harness.deployer().reconcile().failed == ()
    assert harness.deployer().find_model_server() == before
    assert harness.ask(found["churn"]) == Reply(200, "v2", 2)
    assert harness.ask(fraud) == Reply(200, "f1", 1)
    assert harness.ask(resting).status == 503
    harness.deployer().start_model_server(resting.uuid)
    assert harness.ask(resting) == Reply(200, "r1", 1)


def test_a_server_that_was_given_up_is_tried_anew_after_a_reboot(harness: ProcessHarness) -> None:
    server = harness.deployer().deploy_model(harness.config("v1"))
    harness.kill(server)
    starts = harness.state_dir / "workloads" / "churn-r1" / files.STARTS
    starts.write_text(starts.read_text() * GIVE_UP_AFTER_STARTS)
    harness.deployer().reconcile()
    (given_up,) = harness.deployer().find_model_server()
    assert given_up.state is State.FAILED and "given up" in given_up.message
    reboot(harness)
    assert harness.deployer().reconcile().failed == ()
    assert harness.deployer().find_model_server() == [server]


def test_a_rollout_that_a_reboot_breaks_off_is_completed(harness: ProcessHarness) -> None:
    server = harness.deployer().deploy_model(harness.config("v1"))
    harness.deployer().deploy_model(harness.config("v2", delay_s=1), replace=True, timeout=0)
    assert [workload.phase for workload in harness.deployer().engine.list()] == [Phase.RUNNING, Phase.RUNNING]
    reboot(harness)
    assert harness.deployer().reconcile().failed == ()
    assert harness.ask(server) == Reply(200, "v2", 2)
    assert harness.leftovers() == []


def test_a_stranger_who_was_faster_after_a_reboot_costs_a_port_and_no_url(harness: ProcessHarness) -> None:
    server = harness.deployer().deploy_model(harness.config("v1"))
    (before,) = harness.deployer().engine.list()
    reboot(harness)
    with impostor(urlsplit(before.address).port or 0):
        assert harness.deployer().reconcile().failed == ()
        (after,) = harness.deployer().engine.list()
        assert after.address != before.address
        assert harness.deployer().find_model_server() == [server]
        assert harness.ask(server) == Reply(200, "v1", 1)
