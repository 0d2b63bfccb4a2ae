"""The installed command in processes of its own, on real model servers."""

import json
import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from deployer.testing.models import write_model
from tests.support.command_line import InProcesses

WITHIN_S = 30
looking = pytest.mark.xdist_group("cli-looking")


def on_a_terminal(program: InProcesses, *words: object, typed: bytes = b"") -> tuple[int, str]:
    """The exit code and what is seen on a terminal of 80 columns."""
    ours, theirs = pty.openpty()
    try:
        with subprocess.Popen(
            program.command(*words), env=program.environment, stdin=theirs, stdout=theirs, stderr=theirs
        ) as ran:
            os.close(theirs)
            os.write(ours, typed)
            seen = b"".join(iter(lambda: _read(ours), b""))
            return ran.wait(WITHIN_S), seen.decode()
    finally:
        os.close(ours)


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 65536)
    except OSError:  # Linux says so when the other end is closed
        return b""


@pytest.mark.timeout(300)
def test_a_model_is_deployed_asked_replaced_refused_rolled_back_stopped_and_deleted(
    program: InProcesses, model: Path, tmp_path: Path
) -> None:
    first = program("deploy", "churn", model, *program.quick)
    assert (first.exit_code, "serves revision 1" in first.stdout) == (0, True), first.stderr
    assert json.loads(program("predict", "churn", "[1]").stdout) == {"answer": "v1"}
    assert program("predict", "churn", "--json", stdin="[1]").json == {"prediction": {"answer": "v1"}}

    program("deploy", "churn", write_model(tmp_path / "better", "v2"), *program.quick)
    assert json.loads(program("predict", "churn", "-", stdin="[1]").stdout) == {"answer": "v2"}

    refused = program("deploy", "churn", write_model(tmp_path / "bad", "v3", mode="exit"), *program.quick, "--json")
    assert (refused.exit_code, refused.stdout, refused.error["error"]) == (1, "", "RevisionRefused")
    assert refused.error["serving"] == "Revision 2 serves on as before."
    assert refused.error["log_tail"]

    assert program("rollback", "churn", "--json").json["revision"] == 4
    assert json.loads(program("predict", "churn", "[1]").stdout) == {"answer": "v1"}
    assert program("logs", "churn").exit_code == 0

    assert program("stop", "churn", "--json").json["state"] == "stopped"
    stopped = program("predict", "churn", "[1]", "--json")
    assert (stopped.exit_code, stopped.error["error"]) == (1, "ServerStopped")
    assert program("delete", "churn").exit_code == 0
    assert program("list", "--json").json == {"servers": [], "unreadable": []}


@looking
def test_through_a_pipe_nothing_is_cut_or_folded(serving: InProcesses) -> None:
    known = serving("describe", "churn", "--json").json
    row = serving("list").stdout.splitlines()[1]
    assert known["model_uri"] in row
    assert row.endswith(known["url"])
    assert known["digest"] in serving("history", "churn").stdout


@looking
def test_on_a_terminal_of_80_columns_name_state_and_url_are_readable(serving: InProcesses) -> None:
    code, seen = on_a_terminal(serving, "list")
    lines = seen.replace("\r", "").splitlines()
    assert code == 0
    assert serving("get-url", "churn").stdout.strip() in lines[1]
    assert "ready" in lines[1]
    assert "Too narrow for: " in lines[2]


def test_a_terminal_sees_the_steps_and_is_asked_before_a_delete(program: InProcesses, model: Path) -> None:
    code, seen = on_a_terminal(program, "deploy", "churn", model, *program.quick)
    assert code == 0
    assert "✓" in seen
    assert "revision 1 is wanted" in seen
    code, seen = on_a_terminal(program, "delete", "churn", typed=b"n\n")
    assert (code, "Delete churn" in seen) == (1, True)
    assert program("get-url", "churn").exit_code == 0
    assert on_a_terminal(program, "delete", "churn", typed=b"y\n")[0] == 0
    assert program("get-url", "churn").exit_code == 1


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_deploy_that_is_interrupted_closes_its_revision(
    program: InProcesses, model: Path, tmp_path: Path, number: signal.Signals, code: int
) -> None:
    program("deploy", "churn", model, *program.quick)
    never = write_model(tmp_path / "never", "v2", mode="hang")
    with subprocess.Popen(
        program.command("deploy", "churn", never, *program.quick),
        env=program.environment,
        stderr=subprocess.PIPE,
        text=True,
    ) as deploying:
        assert deploying.stderr
        assert any("wait churn-r2" in line for line in deploying.stderr), "it ended before it waited"
        deploying.send_signal(number)
        told = deploying.stderr.read()
        assert deploying.wait(WITHIN_S) == code
    assert "Traceback" not in told
    assert [r["outcome"] for r in program("history", "churn", "--json").json["revisions"]] == ["served", "refused"]
    assert program("predict", "churn", "[1]", "--json").json == {"prediction": {"answer": "v1"}}


@looking
def test_a_reader_that_goes_away_is_no_error_worth_a_word(serving: InProcesses) -> None:
    ours, theirs = os.pipe()
    os.close(ours)
    with subprocess.Popen(
        serving.command("list"), env=serving.environment, stdout=theirs, stderr=subprocess.PIPE
    ) as ran:
        os.close(theirs)
        assert ran.communicate(timeout=WITHIN_S)[1] == b""
    assert ran.returncode == 141


def test_logs_are_followed_until_the_reader_has_enough(program: InProcesses, model: Path) -> None:
    program("deploy", "churn", model, *program.quick)
    with subprocess.Popen(
        program.command("logs", "churn", "-f"), env=program.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as following:
        program("stop", "churn")
        assert following.communicate(timeout=WITHIN_S)[1] == b""
        assert following.returncode == 0


@looking
def test_names_are_completed_and_failures_are_silent(serving: InProcesses) -> None:
    def completed(words: str, **environment: str) -> tuple[list[str], str]:
        asked = {"_MODEL_DEPLOYER_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": str(words.count(" "))}
        ran = subprocess.run(
            serving.command(),
            env={**serving.environment, **asked, **environment},
            capture_output=True,
            text=True,
            check=False,
        )
        return ran.stdout.split(), ran.stderr

    assert completed("model-deployer describe ch") == (["churn"], "")
    assert completed("model-deployer describe x") == ([], "")
    assert completed("model-deployer describe ch", MODEL_DEPLOYER_GATEWAY_PORT="many") == ([], "")
    assert completed("model-deployer -d pro") == (["process"], "")


def test_the_state_directory_must_be_writable(program: InProcesses, model: Path) -> None:
    file = model / "model.json"
    answer = program("--set", f"state_dir={file}", "deploy", "churn", model, *program.quick, "--json")
    assert (answer.exit_code, answer.error["error"]) == (1, "StateDirectoryUnusable")


def test_help_loads_nothing_that_is_slow() -> None:
    code = (
        "import sys, contextlib, io\nfrom deployer.cli.main import app\n"
        "with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):\n    app(['--help'])\n"
        "slow = {'pydantic', 'prefect', 'rich', 'yaml', 'httpx', 'tenacity'}\n"
        "print(sorted({name.partition('.')[0] for name in sys.modules} & slow))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
