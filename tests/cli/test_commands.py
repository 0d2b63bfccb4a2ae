import json
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from deployer.engine import Launch
from deployer.errors import EnvironmentFailed, StateDirectoryUnusable
from deployer.flavors.memory.deployer import MemoryModelDeployer
from deployer.flavors.memory.platform import MemoryPlatform, Stored
from deployer.store import Store
from deployer.testing.models import write_model
from tests.support.command_line import InOneProcess

SERVER_KEYS = {
    *("uuid", "name", "url", "prediction_url", "state", "message", "revision", "model_name", "model_uri"),
    *("model_type", "digest", "pipeline_name", "pipeline_run_id", "pipeline_step_name"),
    *("protocol", "created_at", "deployed_at", "config", "token"),
}
REVISION_KEYS = {
    "number",
    "origin",
    "outcome",
    "reason",
    "cause",
    "digest",
    "created_at",
    "config",
    "environment",
    "image",
}


@pytest.fixture
def deployed(cli: InOneProcess, model: Path) -> str:
    answer = cli("deploy", "churn", model, *cli.quick, "--json")
    assert answer.exit_code == 0, answer.stderr
    return str(answer.json["uuid"])


def test_deploy_ends_with_the_url_and_how_to_call_it(cli: InOneProcess, model: Path) -> None:
    answer = cli("deploy", "churn", model, *cli.quick)
    assert answer.exit_code == 0
    assert "churn serves revision 1 at http://" in answer.stdout
    assert "curl http://" in answer.stdout
    assert "/churn/invocations" in answer.stdout and "-d '[[5.1," in answer.stdout


def test_deploy_tells_each_step_and_its_cause(cli: InOneProcess, model: Path) -> None:
    told = cli("deploy", "churn", model, *cli.quick).stderr
    assert f"churn: fetch: the model at {model} is copied and hashed" in told
    assert "churn: start churn-r1: revision 1 is wanted" in told
    assert "churn: route churn-r1: revision 1 is ready" in told


def test_deploy_again_makes_the_next_revision_of_the_same_server(
    cli: InOneProcess, deployed: str, tmp_path: Path
) -> None:
    better = write_model(tmp_path / "better", "v2", delay_s=0)
    again = cli("deploy", "churn", better, *cli.quick, "--json").json
    assert (again["uuid"], again["revision"]) == (deployed, 2)


def test_deploy_beside_a_server_of_that_name_is_refused(cli: InOneProcess, deployed: str, model: Path) -> None:
    answer = cli("deploy", "churn", model, *cli.quick, "--no-replace", "--json")
    assert (answer.exit_code, answer.stdout) == (1, "")
    assert answer.error["error"] == "ServerAlreadyExists"


def test_a_deploy_that_is_not_waited_for_says_what_is_left_to_do(cli: InOneProcess, model: Path) -> None:
    answer = cli("deploy", "churn", model, *cli.quick, "--timeout", 0)
    assert answer.exit_code == 0
    assert "churn: revision 1 is pending: " in answer.stdout
    assert "reconcile" in answer.stdout


def test_a_refused_revision_is_told_with_its_log_what_serves_and_what_to_do(
    cli: InOneProcess, deployed: str, broken: Path
) -> None:
    answer = cli("deploy", "churn", broken, *cli.quick)
    assert (answer.exit_code, answer.stdout) == (1, "")
    assert "Revision 2 of churn was refused: it ended before it was ready: exit code 7." in answer.stderr
    assert "cannot load model" in answer.stderr
    assert "Revision 1 serves on as before." in answer.stderr
    assert "deploy again" in answer.stderr
    assert "Traceback" not in answer.stderr


def test_as_json_an_error_is_one_object_on_stderr(cli: InOneProcess, deployed: str, broken: Path) -> None:
    answer = cli("deploy", "churn", broken, *cli.quick, "--json")
    assert (answer.exit_code, answer.stdout) == (1, "")
    assert answer.error.keys() == {"error", "what", "serving", "hint", "log_tail", "exit_code"}
    assert answer.error["error"] == "RevisionRefused"
    assert answer.error["exit_code"] == 7
    assert answer.error["log_tail"] == "cannot load model"


def test_an_environment_that_cannot_be_built_is_told_with_the_last_that_its_builder_wrote(
    cli: InOneProcess, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        log_tail = "no such package\nfoo==1"
        raise EnvironmentFailed("It could not be built. uv says:", hint="Correct it.", log_tail=log_tail)

    monkeypatch.setattr(MemoryModelDeployer, "deploy_model", fail)
    told = cli("deploy", "churn", model, *cli.quick)
    assert told.exit_code == 1
    assert told.stderr.splitlines()[-5:] == [
        "EnvironmentFailed: It could not be built. uv says:",
        "Last log lines:",
        "  no such package",
        "  foo==1",
        "Correct it.",
    ]
    assert cli("deploy", "churn", model, *cli.quick, "--json").error == {
        "error": "EnvironmentFailed",
        "what": "It could not be built. uv says:",
        "serving": "",
        "hint": "Correct it.",
        "log_tail": "no such package\nfoo==1",
    }


def test_a_traceback_is_shown_where_it_is_asked_for(cli: InOneProcess) -> None:
    assert "Traceback" not in cli("describe", "nobody").stderr
    assert "Traceback" in cli("--traceback", "describe", "nobody").stderr
    assert "Traceback" in cli("describe", "nobody", MODEL_DEPLOYER_TRACEBACK="1").stderr


def test_plan_says_what_a_deploy_would_do_and_does_not_do_it(cli: InOneProcess, deployed: str, model: Path) -> None:
    steps = cli("plan", "churn", model, *cli.quick, "--env", "A=1", "--json").json["steps"]
    assert [step.keys() for step in steps] == [{"action", "workload", "cause"}]
    assert steps[0]["action"] == "create"
    assert "revision 2 of churn" in steps[0]["cause"]
    assert cli("describe", "churn", "--json").json["revision"] == 1


def test_plan_says_when_nothing_is_to_be_done(cli: InOneProcess, deployed: str, model: Path) -> None:
    assert cli("plan", "churn", model, *cli.quick, "--json").json == {"steps": []}
    assert "Nothing is to be done" in cli("plan", "churn", model, *cli.quick).stdout


@pytest.mark.parametrize("before", [True, False])
def test_json_is_taken_before_and_after_the_command(cli: InOneProcess, deployed: str, before: bool) -> None:
    answer = cli("--json", "list") if before else cli("list", "--json")
    assert answer.json.keys() == {"servers", "unreadable"}
    assert [server.keys() for server in answer.json["servers"]] == [SERVER_KEYS]
    assert answer.stderr == ""


def test_list_names_what_claims_to_be_ours_and_cannot_be_read(cli: InOneProcess, deployed: str) -> None:
    stranger = Stored("no record", Launch(argv=(), readiness_path=""), "theirs", "nonsense")
    MemoryPlatform.named(cli.platform).workloads["nonsense", 1] = stranger
    assert "Unreadable: nonsense-r1: its record does not read" in cli("list").stdout
    (told,) = cli("list", "--json").json["unreadable"]
    assert told["where"] == "nonsense-r1" and told["reason"]


def test_list_shows_each_server_whole(cli: InOneProcess, deployed: str, model: Path) -> None:
    header, row = cli("list").stdout.splitlines()
    assert header.split() == ["NAME", "STATE", "REVISION", "MODEL", "TYPE", "FLOW", "AGE", "URL"]
    assert row.split()[:4] == ["churn", "ready", "1", str(model)]
    assert row.endswith("/churn")


def test_list_says_that_there_is_nothing_and_stdout_stays_empty(cli: InOneProcess) -> None:
    answer = cli("list")
    assert (answer.exit_code, answer.stdout) == (0, "")
    assert "No model server is found." in answer.stderr


@pytest.mark.parametrize(
    ("option", "value"),
    [("--model-name", "m"), ("--model-type", "forest"), ("--flow", "train"), ("--flow-run", "7"), ("--task", "fit")],
)
def test_list_finds_by_each_filter(cli: InOneProcess, deployed: str, model: Path, option: str, value: str) -> None:
    content = json.loads(cli.quick[1].read_text())
    content["provenance"] = {"pipeline_name": "train", "pipeline_run_id": "7", "pipeline_step_name": "fit"}
    file = model.parent / "traced.json"
    file.write_text(json.dumps(content))
    cli("deploy", "other", model, "--config", file, "--model-name", "m", "--model-type", "forest")
    assert [s["name"] for s in cli("list", option, value, "--json").json["servers"]] == ["other"]
    assert cli("list", option, "nothing", "--json").json["servers"] == []


def test_list_finds_by_uuid_and_model_and_health(cli: InOneProcess, deployed: str, model: Path) -> None:
    assert len(cli("list", "--uuid", deployed, "--model-uri", model, "--running", "--json").json["servers"]) == 1
    assert cli("list", "--uuid", uuid4(), "--json").json["servers"] == []
    cli("stop", "churn")
    assert cli("list", "--running", "--json").json["servers"] == []


def test_describe_says_all_that_is_known(cli: InOneProcess, deployed: str, broken: Path) -> None:
    cli("deploy", "churn", broken, *cli.quick)
    told = cli("describe", deployed).stdout
    assert deployed in told
    assert cli("describe", "churn", "--json").json["digest"] in told
    assert "refused" in told
    described = cli("describe", "churn", "--json").json
    assert described.keys() == SERVER_KEYS | {"history", "traffic", "model_bytes", "log_bytes"}
    assert [(r["number"], r["outcome"]) for r in described["history"]] == [(1, "served"), (2, "refused")]


def test_get_url_prints_the_url_alone(cli: InOneProcess, deployed: str) -> None:
    url = cli("get-url", "churn").stdout
    assert url.endswith("/churn\n")
    assert cli("get-url", deployed, "--json").json == {"url": url[:-1], "prediction_url": url[:-1] + "/invocations"}


def test_rollback_makes_a_new_revision_of_an_earlier_one(cli: InOneProcess, deployed: str, tmp_path: Path) -> None:
    cli("deploy", "churn", write_model(tmp_path / "better", "v2", delay_s=0), *cli.quick)
    assert cli("rollback", "churn", "--json").json["revision"] == 3
    assert cli("rollback", "churn", "--revision", 2, "--json").json["revision"] == 4
    revisions = cli("history", "churn", "--json").json["revisions"]
    assert [(r["number"], r["origin"]) for r in revisions] == [(1, 1), (2, 2), (3, 1), (4, 2)]
    assert all(revision.keys() == REVISION_KEYS for revision in revisions)


def test_rollback_to_what_is_not_known_says_what_is(cli: InOneProcess, deployed: str) -> None:
    answer = cli("rollback", "churn", "--revision", 9)
    assert answer.exit_code == 1
    assert "remembers these: 1" in answer.stderr


def test_stop_and_start_may_be_said_twice(cli: InOneProcess, deployed: str) -> None:
    for _ in range(2):
        assert cli("stop", "churn", "--json").json["state"] == "stopped"
    for _ in range(2):
        assert cli("start", "churn", "--json").json["state"] == "ready"
    assert "churn is stopped" in cli("stop", "churn", "--force").stdout
    assert "churn serves revision 1" in cli("start", "churn").stdout


def test_delete_is_final_and_with_force_an_absent_server_is_no_error(cli: InOneProcess, deployed: str) -> None:
    assert cli("delete", "churn", "--json").json == {"uuid": deployed, "name": "churn", "deleted": True}
    assert cli("delete", "churn").exit_code == 1
    assert cli("delete", "churn", "--force", "--json").json == {"uuid": None, "name": "churn", "deleted": False}


def test_logs_are_printed_as_they_were_written(cli: InOneProcess, deployed: str) -> None:
    assert cli("logs", "churn").stdout == "serving\n"
    assert cli("logs", "churn", "--tail", 0).stdout == ""
    assert cli("logs", "churn", "--json").json == {"line": "serving"}
    assert "Kept are those of: 1" in cli("logs", "churn", "--revision", 5).stderr


def test_reconcile_reports_every_server(cli: InOneProcess, model: Path) -> None:
    cli("deploy", "churn", model, *cli.quick, "--timeout", 0)
    report = cli("reconcile", "--json").json
    assert [one.keys() for one in report["servers"]] == [{"name", "uuid", "steps", "pending", "error"}]
    assert UUID(report["servers"][0]["uuid"])
    assert [step["action"] for step in report["servers"][0]["steps"]][-1] == "route"
    assert cli("reconcile").stdout == "Servers: 1, changed: 0, failed: 0.\n"


def test_reconcile_tells_of_what_went_wrong_beside_the_servers(
    cli: InOneProcess, deployed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise StateDirectoryUnusable("The model store is full.")

    monkeypatch.setattr(Store, "collect", full)
    told = cli("reconcile")
    assert told.exit_code == 1
    assert told.stdout.splitlines() == [
        "What is left over was not removed: The model store is full.",
        "Servers: 1, changed: 0, failed: 0.",
    ]
    assert cli("reconcile", "--json").json["troubles"] == told.stdout.splitlines()[:1]


def test_flavors_are_listed(cli: InOneProcess) -> None:
    flavors = cli.bare("flavor", "list", "--json").json["flavors"]
    assert {"memory", "process"} <= {flavor["name"] for flavor in flavors}
    assert all(flavor.keys() == {"name", "class", "distribution", "version"} for flavor in flavors)
    assert "deployer.flavors.process" in cli.bare("flavor", "list").stdout


def test_the_deployer_and_its_settings_come_from_the_environment(cli: InOneProcess, deployed: str) -> None:
    ours = {"MODEL_DEPLOYER": "memory", "MODEL_DEPLOYER_PLATFORM": cli.platform}
    assert cli.bare("get-url", "churn", **ours).exit_code == 0
    assert cli.bare("--set", "platform=elsewhere", "get-url", "churn", **ours).exit_code == 1


def test_every_command_says_what_it_prints_as_json(cli: InOneProcess) -> None:
    shown = cli.bare("--help").stdout
    names = [line.split()[0] for line in shown.split("Commands:\n")[1].splitlines()]
    assert {"deploy", "list", "reconcile", "flavor"} <= set(names)
    for name in names:
        words = (name, "list", "--help") if name == "flavor" else (name, "--help")
        assert "With --json:" in cli.bare(*words).stdout, name


def test_an_error_comes_with_the_name_by_which_the_docs_know_it(cli: InOneProcess) -> None:
    assert cli("describe", "churn").stderr.startswith("ServerNotFound: There is no model server")
