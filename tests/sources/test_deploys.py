"""Deploys whose model has to be fetched: what serves meanwhile, what the time allowed covers, what is left behind."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from deployer.config import ModelServerConfig
from deployer.errors import AccessDenied, RolloutTimeout, SecretUnresolved, SourceUnavailable, StateDirectoryUnusable
from deployer.rollout.steps import Action, Progress
from deployer.server import ModelServer
from deployer.store import Store
from deployer.testing.memory import MemoryHarness
from tests.sources.conftest import left_in
from tests.sources.servers.web import Handler, Web, answers, hangs
from tests.sources.test_web import LARGE


@pytest.fixture
def harness(tmp_path: Path) -> MemoryHarness:
    return MemoryHarness(tmp_path / "memory")


def served_from(web: Web, harness: MemoryHarness, answer: str, **fields: object) -> ModelServerConfig:
    config = harness.config(answer)
    model = Path(config.model_uri) / "model.json"
    web.files["/model.json"] = model.read_bytes()
    return config.model_copy(update={"model_uri": f"{web.address}/model.json", **fields})


def test_the_same_deploy_again_fetches_nothing_and_changes_nothing(web: Web, harness: MemoryHarness) -> None:
    config = served_from(web, harness, "v1")
    first = harness.deployer().deploy_model(config, replace=True)
    again = harness.deployer().deploy_model(config, replace=True)
    assert (again.uuid, again.revision) == (first.uuid, first.revision)
    assert len(web.gets) == 1


def test_a_source_that_fails_leaves_what_serves(web: Web, harness: MemoryHarness) -> None:
    config = served_from(web, harness, "v1")
    harness.deployer().deploy_model(config, replace=True)
    served_from(web, harness, "v2")
    web.faults.extend([answers(503)] * 5)
    with pytest.raises(SourceUnavailable) as failed:
        harness.deployer().deploy_model(config, replace=True)
    assert "serves on" in failed.value.serving
    (server,) = harness.deployer().find_model_server(running=True)
    assert server.revision == 1


def test_fetching_counts_against_the_time_allowed(web: Web, harness: MemoryHarness) -> None:
    config = served_from(web, harness, "v1")
    web.faults.append(hangs(20))
    began = time.monotonic()
    with pytest.raises(RolloutTimeout, match="not fetched in the time allowed") as failed:
        harness.deployer().deploy_model(config, replace=True, timeout=2)
    assert time.monotonic() - began < 5
    assert "timeout" in failed.value.hint
    assert harness.deployer().find_model_server() == []


def test_without_waiting_for_readiness_the_model_is_waited_for(web: Web, harness: MemoryHarness) -> None:
    config = served_from(web, harness, "v1")
    web.faults.append(hangs(1))
    assert harness.deployer().deploy_model(config, timeout=0).revision == 1


def test_how_far_it_is_belongs_to_the_step_that_fetches(web: Web, harness: MemoryHarness) -> None:
    config = served_from(web, harness, "v1")
    content = web.files["/model.json"] + b" " * 1000

    def drips(handler: Handler) -> bool:
        handler.say(200, {"Content-Length": str(len(content))})
        handler.wfile.write(content[:-1])
        time.sleep(1)
        handler.wfile.write(content[-1:])
        return False

    web.files["/model.json"], web.tagged = content, False
    web.faults.append(drips)
    deployer, told = harness.deployer(), list[Progress]()
    deployer.on_progress = told.append
    deployer.deploy_model(config, replace=True)
    fetch = [progress for progress in told if progress.step.action is Action.FETCH]
    assert (fetch[0].seconds, fetch[0].detail) == (None, "")
    assert fetch[1].detail == "1.1 kB of 1.1 kB"
    assert fetch[-1].seconds is not None


def test_credentials_of_a_config_are_read_when_it_is_fetched(
    web: Web, harness: MemoryHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    web.token = "a-secret-token"
    named = {"MODEL_DEPLOYER_HTTP_AUTHORIZATION": "env:CHURN_TOKEN"}
    config = served_from(web, harness, "v1", credentials=named)
    with pytest.raises(SecretUnresolved, match="CHURN_TOKEN"):
        harness.deployer().deploy_model(config)
    monkeypatch.setenv("CHURN_TOKEN", "Bearer a-secret-token")
    server = harness.deployer().deploy_model(config)
    assert server.config.credentials == named
    assert "a-secret-token" not in server.config.model_dump_json()
    with pytest.raises(AccessDenied):
        harness.deployer().deploy_model(config.model_copy(update={"credentials": {}}))


def test_bytes_that_were_lost_are_fetched_again_for_a_rollback(web: Web, harness: MemoryHarness) -> None:
    deployer = harness.deployer()
    first = deployer.deploy_model(served_from(web, harness, "v1"), replace=True)
    second = deployer.deploy_model(harness.config("v2"), replace=True)
    assert deployer.store.collect({second.digest}, untouched_s=0) == {first.digest}
    assert deployer.rollback(second.uuid).digest == first.digest


def lost(web: Web, harness: MemoryHarness) -> ModelServer:
    """A server that died, whose bytes are gone, and whose source is silent for a while."""
    server = harness.deployer().deploy_model(served_from(web, harness, "v1"), replace=True)
    harness.kill(server)
    assert harness.deployer().store.collect(set(), untouched_s=0) == {server.digest}
    web.faults.append(hangs(3))
    return server


def test_a_start_that_has_to_fetch_again_takes_no_longer_than_it_is_allowed(web: Web, harness: MemoryHarness) -> None:
    server = lost(web, harness)
    began = time.monotonic()
    with pytest.raises(RolloutTimeout, match="not fetched in the time allowed"):
        harness.deployer().start_model_server(server.uuid, timeout=1)
    assert time.monotonic() - began < 3


def test_who_starts_one_without_waiting_for_it_has_fetched_again_what_it_needs(
    web: Web, harness: MemoryHarness
) -> None:
    server = lost(web, harness)
    harness.deployer().start_model_server(server.uuid, timeout=0)
    assert harness.deployer().reconcile().failed == () and harness.ask(server).ok


BEGINS = (
    "import sys\n"
    "from pathlib import Path\n"
    "from deployer.errors import StateDirectoryUnusable\n"
    "from deployer.store import Store\n"
    "{before}\n"
    "try:\n"
    "    Store(Path(sys.argv[1])).add(sys.argv[2])\n"
    "except StateDirectoryUnusable as error:\n"
    "    print(error)\n"
)


def test_a_fetch_ends_with_the_deployer_that_wanted_it_and_the_next_goes_on(web: Web, store: Store) -> None:
    web.files["/w.bin"] = LARGE

    def stalls(handler: Handler) -> bool:
        handler.say(200, {"Content-Length": str(len(LARGE)), "ETag": handler.tag()})
        handler.wfile.write(LARGE[:1_000_000])
        time.sleep(30)
        return False

    web.faults.append(stalls)
    script = BEGINS.format(before="")
    with subprocess.Popen([sys.executable, "-c", script, str(store.root), f"{web.address}/w.bin"]) as deployer:
        _wait_for(lambda: sum(path.stat().st_size for path in store.root.glob(".partial-*/fetched/w.bin")) >= 900_000)
        (fetching,) = psutil.Process(deployer.pid).children()
        deployer.send_signal(signal.SIGKILL)
        deployer.wait(10)
    assert psutil.wait_procs([fetching], timeout=10)[1] == []
    digest = store.add(f"{web.address}/w.bin")
    assert store.path(digest).read_bytes() == LARGE
    assert int(web.gets[-1].removeprefix("bytes=").rstrip("-")) >= 900_000
    assert left_in(store) == {digest}


def test_a_disk_that_runs_full_while_it_is_fetched_leaves_nothing(web: Web, store: Store) -> None:
    web.files["/w.bin"] = LARGE
    limited = "import resource\nresource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))"
    command = [sys.executable, "-c", BEGINS.format(before=limited), str(store.root), f"{web.address}/w.bin"]
    said = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout
    assert str(store.root) in said
    assert "Free some space" in said
    assert left_in(store) == set()


def test_a_local_model_larger_than_the_disk_is_refused_before_it_is_copied(store: Store, tmp_path: Path) -> None:
    with (tmp_path / "sparse.bin").open("wb") as file:
        file.truncate(min(1 << 43, _free(tmp_path) * 2))
    with pytest.raises(StateDirectoryUnusable, match="free"):
        store.add(str(tmp_path / "sparse.bin"))
    assert left_in(store) == set()


def _free(folder: Path) -> int:
    free = os.statvfs(folder)
    return free.f_bavail * free.f_frsize


def _wait_for(condition: object) -> None:
    assert callable(condition)
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)
