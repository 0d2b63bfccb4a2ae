"""The command as a whole."""

import os
import subprocess
import threading
import time
from pathlib import Path

import pytest

from deployer.cli.doctor.checks import CHECKS
from deployer.cli.doctor.examine import examine
from deployer.cli.doctor.finding import Status, fail, ok
from deployer.cli.session import Session
from deployer.errors import EngineError
from deployer.ports import free_port
from tests.support.command_line import PROGRAM, Answer

SESSION = Session("process")


def doctor(state_dir: Path, *words: str, cwd: Path | None = None, **environment: str) -> Answer:
    ran = subprocess.run(
        [PROGRAM, *(words or ("doctor", "--json"))],
        env={**os.environ, "PREFECT_API_URL": "", "MODEL_DEPLOYER_STATE_DIR": str(state_dir), **environment},
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return Answer(ran.returncode, ran.stdout, ran.stderr)


def statuses(answer: Answer) -> dict[str, str]:
    return {check["name"]: check["status"] for check in answer.json["checks"]}


def told(answer: Answer, name: str) -> tuple[str, str, str]:
    (found,) = (check for check in answer.json["checks"] if check["name"] == name)
    return found["status"], found["what"], found["hint"]


def test_where_all_is_well_nothing_fails_and_nothing_is_changed(tmp_path: Path) -> None:
    state_dir = tmp_path / "state"
    answer = doctor(state_dir, MODEL_DEPLOYER_GATEWAY_PORT=str(free_port()))
    assert answer.exit_code == 0, answer.stdout
    assert list(statuses(answer)) == list(CHECKS)
    for name in ("python", "packages", "import path", "state directory", "gateway port", "traefik"):
        assert statuses(answer)[name] == "ok", told(answer, name)
    assert told(answer, "prefect server")[0] == "info"
    assert "prefect server start" in told(answer, "prefect server")[2]
    assert not state_dir.exists()


def test_what_fails_ends_with_1_and_says_how_to_mend_it(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    answer = doctor(tmp_path / "file" / "state")
    assert answer.exit_code == 1
    status, what, hint = told(answer, "state directory")
    assert (status, "cannot be used" in what) == ("fail", True)
    assert "state_dir" in hint
    people = doctor(tmp_path / "file" / "state", "doctor")
    assert people.exit_code == 1
    assert any(line.startswith("fail") and "state directory" in line for line in people.stdout.splitlines())
    assert hint in people.stdout


def test_however_many_do_not_answer_it_is_done_within_seconds(tmp_path: Path, silent_port: int) -> None:
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(
        "{apiVersion: v1, kind: Config, current-context: c, contexts: [{name: c, context: {cluster: c, user: u}}], "
        f"clusters: [{{name: c, cluster: {{server: 'http://127.0.0.1:{silent_port}'}}}}], users: [{{name: u}}]}}"
    )
    began = time.monotonic()
    usual = doctor(tmp_path / "state")
    usual_s, began = time.monotonic() - began, time.monotonic()
    hanging = doctor(
        tmp_path / "state",
        PREFECT_API_URL=f"http://127.0.0.1:{silent_port}/api",
        DOCKER_HOST=f"tcp://127.0.0.1:{silent_port}",
        KUBECONFIG=str(kubeconfig),
    )
    assert time.monotonic() - began < usual_s + 7
    assert statuses(usual)["prefect server"] == "info"
    assert statuses(hanging)["prefect server"] == "fail"
    assert statuses(hanging)["docker"] in ("info", "warn")
    assert statuses(hanging)["kubernetes"] in ("info", "warn")
    assert hanging.exit_code == 1


def test_a_check_that_hangs_is_told_of_and_costs_the_deadline_alone() -> None:
    never = threading.Event()

    def hangs(session: Session) -> object:
        return never.wait(60)

    began = time.monotonic()
    found = examine({"hangs": hangs, "well": lambda session: ok("Well.")}, SESSION, within_s=0.3)  # type: ignore[dict-item]
    assert time.monotonic() - began < 5
    never.set()
    assert [(name, finding.status) for name, finding in found.items()] == [("hangs", Status.WARN), ("well", Status.OK)]
    assert "0.3 s" in found["hangs"].what


def test_an_error_of_ours_is_a_failure_with_its_hint_and_any_other_that_of_the_check() -> None:
    def ours(session: Session) -> object:
        raise EngineError("It says no.", hint="Ask it again.")

    def other(session: Session) -> object:
        raise KeyError("x")

    found = examine({"ours": ours, "other": other}, SESSION)  # type: ignore[dict-item]
    assert found["ours"] == fail("It says no.", "Ask it again.")
    assert (found["other"].status, "KeyError" in found["other"].what) == (Status.WARN, True)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["doctor", "--nonsense"], "--nonsense"),
        (["doctor", "me"], "me"),
    ],
)
def test_what_is_asked_for_wrongly_ends_with_2(tmp_path: Path, words: list[str], said: str) -> None:
    answer = doctor(tmp_path / "state", *words)
    assert (answer.exit_code, answer.stdout) == (2, "")
    assert said in answer.stderr


def test_an_unknown_flavor_fails_what_belongs_to_it(tmp_path: Path) -> None:
    answer = doctor(tmp_path / "state", "-d", "podman", "doctor", "--json")
    assert answer.exit_code == 1
    assert told(answer, "state directory")[:2] == ("fail", "There is no flavor named 'podman'.")
    assert statuses(answer)["python"] == "ok"


def test_another_flavor_is_not_looked_at_as_if_it_were_process(tmp_path: Path) -> None:
    answer = doctor(tmp_path / "state", "-d", "memory", "doctor", "--json")
    assert {statuses(answer)[name] for name in ("state directory", "gateway port", "traefik")} == {"info"}
