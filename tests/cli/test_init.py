"""What `init` makes on a real Prefect server, and what it leaves alone."""

import contextlib
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from prefect.client.orchestration import get_client
from prefect.exceptions import ObjectNotFound

from deployer.cli.setup.shipped import deployments_in, shipped
from deployer.ports import free_port
from tests.prefect_server.ailing import ailing, status
from tests.prefect_server.fixtures import PrefectServer
from tests.support.command_line import PROGRAM, Answer
from tests.support.installed import run_from

pytestmark = [pytest.mark.xdist_group("prefect"), pytest.mark.timeout(300)]

POOL, BLOCK = "model-deployers", "process-model-deployer/default"
NAMES = {one.name for one in deployments_in(shipped())}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "of-the-user").mkdir()
    return tmp_path / "of-the-user"


@pytest.fixture
def empty_server(prefect_server: PrefectServer) -> Iterator[PrefectServer]:
    """Other tests make the same things on it."""
    _forget_all()
    yield prefect_server
    _forget_all()


def _forget_all() -> None:
    with get_client(sync_client=True) as client:
        for one in client.read_deployments():
            client.delete_deployment(one.id)
        for pool in client.read_work_pools():
            client.delete_work_pool(pool.name)
        with contextlib.suppress(ObjectNotFound):
            client.delete_block_document(client.read_block_document_by_name("default", "process-model-deployer").id)


def init(folder: Path, *words: object, **environment: str) -> Answer:
    ran = subprocess.run(
        [PROGRAM, *map(str, words or ["init"])],
        env={**os.environ, **environment},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return Answer(ran.returncode, ran.stdout, ran.stderr)


def things(answer: Answer, which: str) -> set[tuple[str, str]]:
    return {(one["kind"], one["name"]) for one in answer.json[which]}


def all_of(folder: Path) -> set[tuple[str, str]]:
    return {
        ("work pool", POOL),
        ("block", BLOCK),
        ("file", str(folder / "deployments.yaml")),
        *(("deployment", name) for name in NAMES),
    }


def state_of_the_server() -> list[object]:
    with get_client(sync_client=True) as client:
        block = client.read_block_document_by_name("default", "process-model-deployer")
        found = sorted((one.name, str(one.id), one.updated) for one in client.read_deployments())
        return [block.updated, client.read_work_pool(POOL).updated, *found]


def test_all_that_is_needed_is_made_and_run_twice_nothing_is_changed(
    empty_server: PrefectServer, folder: Path, tmp_path: Path
) -> None:
    state_dir = str(tmp_path / "state")
    first = init(folder, "init", "--json", MODEL_DEPLOYER_STATE_DIR=state_dir)
    assert first.exit_code == 0, first.stderr
    assert (things(first, "made"), things(first, "there")) == (all_of(folder), set())
    assert first.json["worker"] == f"prefect worker start --pool {POOL}"
    assert first.json["server"] == empty_server.api_url
    assert (folder / "deployments.yaml").read_text() == shipped()
    with get_client(sync_client=True) as client:
        pool = client.read_work_pool(POOL)
        assert (pool.type, "command" in pool.base_job_template["job_configuration"]) == ("process", True)
        block = client.read_block_document_by_name("default", "process-model-deployer")
        assert block.data["state_dir"] == state_dir
        reconcile = client.read_deployment_by_name("reconcile-model-servers/reconcile-model-servers")
        assert [schedule.active for schedule in reconcile.schedules] == [True]

    before = state_of_the_server()
    again = init(folder, "init", "--json")
    assert again.exit_code == 0, again.stderr
    assert (things(again, "made"), things(again, "there")) == (set(), all_of(folder))
    assert state_of_the_server() == before
    told = init(folder)
    assert "All is there already; nothing was changed." in told.stdout
    assert f"What runs them: prefect worker start --pool {POOL}" in told.stdout


def test_only_what_is_missing_is_made_and_a_persons_own_changes_stay(empty_server: PrefectServer, folder: Path) -> None:
    assert init(folder).exit_code == 0
    edited = shipped().replace("interval: 60", "interval: 90")
    (folder / "deployments.yaml").write_text(edited)
    with get_client(sync_client=True) as client:
        reconcile = client.read_deployment_by_name("reconcile-model-servers/reconcile-model-servers")
        client.delete_deployment(reconcile.id)
        deploy = client.read_deployment_by_name("deploy-model-server/deploy-model-server")
        client.pause_deployment(deploy.id)
    again = init(folder, "init", "--json")
    assert things(again, "made") == {("deployment", "reconcile-model-servers")}
    assert (folder / "deployments.yaml").read_text() == edited
    with get_client(sync_client=True) as client:
        assert client.read_deployment_by_name("deploy-model-server/deploy-model-server").paused
        (schedule,) = client.read_deployment_by_name("reconcile-model-servers/reconcile-model-servers").schedules
        assert schedule.schedule.interval.total_seconds() == 90  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "content", ["deployments:\n- name: mine\n  entrypoint: my.py:flow\n", "{", "text", "[1]", "\x00"]
)
def test_another_deployments_yaml_is_left_as_it_is_and_nothing_is_made(
    empty_server: PrefectServer, folder: Path, content: str
) -> None:
    (folder / "deployments.yaml").write_text(content)
    refused = init(folder, "init", "--json")
    assert (refused.exit_code, refused.stdout, refused.error["error"]) == (2, "", "InvalidRequest")
    assert "is your own" in refused.error["what"]
    assert "--folder" in refused.error["hint"]
    assert (folder / "deployments.yaml").read_text() == content
    with get_client(sync_client=True) as client:
        assert client.read_work_pools() == []


def test_another_folder_may_be_named(empty_server: PrefectServer, folder: Path, tmp_path: Path) -> None:
    (folder / "deployments.yaml").write_text("mine")
    (tmp_path / "ours").mkdir()
    made = init(folder, "init", "--folder", tmp_path / "ours", "--json")
    assert things(made, "made") == all_of(tmp_path / "ours"), made.stderr
    assert init(folder, "init", "--folder", tmp_path / "nowhere").exit_code == 2


def test_a_users_own_flows_folder_does_not_get_in_the_way(empty_server: PrefectServer, folder: Path) -> None:
    (folder / "flows").mkdir()
    (folder / "flows" / "__init__.py").write_text("raise SystemExit('imported')")
    made = init(folder, "init", "--json")
    assert made.exit_code == 0, made.stderr


@pytest.mark.parametrize("set_to", ["", "http://127.0.0.1:{port}/api"])
def test_without_a_server_it_says_how_to_start_one_and_changes_nothing(
    folder: Path, tmp_path: Path, set_to: str
) -> None:
    url, home = set_to.format(port=free_port()), tmp_path / "home"
    answer = init(folder, "init", "--json", PREFECT_API_URL=url, PREFECT_HOME=str(home))
    assert (answer.exit_code, answer.stdout, answer.error["error"]) == (1, "", "PrefectUnavailable")
    assert "prefect server start" in answer.error["hint"]
    assert "PREFECT_API_URL" in answer.error["hint"]
    assert "prefect cloud login" in answer.error["hint"]
    assert list(folder.iterdir()) == []


def test_a_server_that_takes_calls_and_stays_silent_is_not_waited_for_long(folder: Path) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        began = time.monotonic()
        answer = init(folder, "init", "--json", PREFECT_API_URL=f"http://127.0.0.1:{silent.getsockname()[1]}/api")
    assert (answer.exit_code, answer.error["error"]) == (1, "PrefectUnavailable")
    assert time.monotonic() - began < 30


@pytest.mark.parametrize(
    ("code", "error", "said"), [(401, "DeployerError", "PREFECT_API_KEY"), (503, "PrefectUnavailable", "that it runs")]
)
def test_a_server_that_refuses_is_told_from_one_that_cannot_answer(
    folder: Path, code: int, error: str, said: str
) -> None:
    with ailing(status(code)) as url:
        answer = init(folder, "init", "--json", PREFECT_API_URL=url, PREFECT_API_KEY="wrong")
    assert (answer.exit_code, answer.error["error"]) == (1, error)
    assert f"HTTP {code}" in answer.error["what"] and said in answer.error["hint"]


def test_a_password_in_the_url_is_not_shown(folder: Path) -> None:
    url = f"http://somebody:hunter2@127.0.0.1:{free_port()}/api"
    answer = init(folder, "init", PREFECT_API_URL=url)
    assert answer.exit_code == 1
    assert "127.0.0.1" in answer.stderr
    assert "hunter2" not in answer.stdout + answer.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["-d", "memory", "init"], "for the flavor process"),
        (["-d", "process-model-deployer/prod", "init"], "for the flavor process"),
        (["--set", "gateway_port=many", "init"], "gateway_port: "),
        (["--set", "colour=red", "init"], "colour: "),
    ],
)
def test_what_is_asked_for_wrongly_changes_nothing(folder: Path, words: list[str], said: str) -> None:
    answer = init(folder, *words)
    assert (answer.exit_code, answer.stdout) == (2, "")
    assert said in answer.stderr
    assert list(folder.iterdir()) == []


def test_it_does_so_from_an_installed_wheel_too(empty_server: PrefectServer, wheel: Path, folder: Path) -> None:
    ran = run_from(wheel, folder, "init", "--json")
    assert things(ran, "made") == all_of(folder), ran.stderr
