from pathlib import Path
from uuid import uuid4

import pytest

from tests.support.command_line import InOneProcess


def nothing_stands(cli: InOneProcess) -> bool:
    return bool(cli("list", "--json").json["servers"] == [])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "model_uri: Field required"),
        (["churn"], "Give NAME and MODEL_URI"),
        (["", "MODEL"], "`model_name`"),
        (["churn", "MODEL", "--runtime", "magic"], "Known are: command, mlflow"),
        (["churn", "MODEL", "--timeout", "-1"], "-1 s is not possible"),
        (["churn", "MODEL", "--timeout", "soon"], "--timeout"),
        (["churn", "MODEL", "--replicas", "2"], "--replicas"),
        (["churn", "MODEL", "--env", "A"], "--env KEY=VALUE"),
        (["churn", "MODEL", "--env", "1A=2"], "'1A' is not the name of an environment variable"),
        (["bell\a", "MODEL"], "control characters and halves"),
        ([" churn", "MODEL"], "blanks at the start or the end"),
        (["x" * 256, "MODEL"], "at most 255 characters"),
        (["churn", "ftp://host/model"], "scheme that is not known"),
    ],
)
def test_what_is_asked_for_wrongly_ends_with_2_and_changes_nothing(
    cli: InOneProcess, model: Path, words: list[str], said: str
) -> None:
    answer = cli("deploy", *(str(model) if word == "MODEL" else word for word in words))
    assert (answer.exit_code, answer.stdout) == (2, "")
    assert said in answer.stderr
    assert "Traceback" not in answer.stderr
    assert nothing_stands(cli)


def test_more_replicas_than_the_flavor_can_run_are_refused(cli: InOneProcess, model: Path, tmp_path: Path) -> None:
    (tmp_path / "two.yaml").write_text("{runtime: command, command: {line: serve}, replicas: 2}")
    answer = cli("deploy", "churn", model, "--config", tmp_path / "two.yaml", "--json")
    assert (answer.exit_code, answer.error["error"]) == (2, "Unsupported")


@pytest.mark.parametrize(("place", "kind"), [("absent", "ModelNotFound"), ("empty", "InvalidModel")])
def test_a_model_that_is_not_there_changes_nothing(cli: InOneProcess, tmp_path: Path, place: str, kind: str) -> None:
    (tmp_path / "empty").mkdir()
    answer = cli("deploy", "churn", tmp_path / place, *cli.quick, "--json")
    assert (answer.exit_code, answer.error["error"]) == (1, kind)
    assert answer.error["hint"]
    assert nothing_stands(cli)


@pytest.mark.parametrize("name", ["two words", "a/b/c", "Größe 模型", "UPPER", "x" * 255])
def test_unusual_names_work_and_are_found_by_their_full_value(cli: InOneProcess, model: Path, name: str) -> None:
    assert cli("deploy", name, model, *cli.quick).exit_code == 0
    assert cli("describe", name, "--json").json["name"] == name
    assert name in cli("list").stdout


def test_an_unknown_server_is_told_with_the_names_that_are_near(cli: InOneProcess, model: Path) -> None:
    assert "There are no model servers here" in cli("describe", "churn").stderr
    for name in ("churn", "prices"):
        cli("deploy", name, model, *cli.quick)
    assert "Do you mean 'churn'?" in cli("get-url", "Chrun").stderr
    assert "There are: 'prices', 'churn'." in cli("get-url", "zzz").stderr


@pytest.mark.parametrize("command", ["describe", "get-url", "history", "logs", "start", "stop", "delete", "rollback"])
def test_an_unknown_uuid_is_an_error_of_every_command(cli: InOneProcess, command: str) -> None:
    answer = cli(command, uuid4(), "--json")
    assert (answer.exit_code, answer.error["error"]) == (1, "ServerNotFound")


def test_a_uuid_that_is_none_is_wrong_usage(cli: InOneProcess) -> None:
    assert cli("list", "--uuid", "7").exit_code == 2


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["-d", "podman", "list"], "There is no flavor named 'podman'"),
        (["-d", "memory", "--set", "colour=red", "list"], "colour: "),
        (["-d", "memory", "--set", "colour", "list"], "--set KEY=VALUE"),
        (["-d", "memory-model-deployer/x", "--set", "a=b", "list"], "is a Prefect Block"),
        (["nonsense"], "nonsense"),
        (["list", "--nonsense"], "--nonsense"),
        (["logs", "churn", "--tail", "-1"], "--tail"),
    ],
)
def test_unknown_flavors_settings_commands_and_options_are_wrong_usage(
    cli: InOneProcess, words: list[str], said: str
) -> None:
    answer = cli.bare(*words)
    assert (answer.exit_code, answer.stdout) == (2, "")
    assert said in answer.stderr


def test_settings_that_do_not_fit_are_named(cli: InOneProcess) -> None:
    answer = cli.bare("-d", "process", "list", MODEL_DEPLOYER_GATEWAY_PORT="many")
    assert answer.exit_code == 2
    assert "gateway_port: " in answer.stderr


@pytest.mark.parametrize(
    ("data", "said"), [("[1", "line 1, column 3"), ("@absent.json", "No such file"), ("", "line 1, column 1")]
)
def test_data_that_is_none_is_wrong_usage(cli: InOneProcess, data: str, said: str) -> None:
    answer = cli("predict", "churn", data)
    assert answer.exit_code == 2
    assert said in answer.stderr


def test_a_name_is_found_however_its_accents_are_composed(cli: InOneProcess, model: Path) -> None:
    cli("deploy", "Gro\u0308\u00dfe", model, *cli.quick)
    for written in ("Gr\u00f6\u00dfe", "Gro\u0308\u00dfe"):
        assert cli("describe", written, "--json").json["name"] == "Gr\u00f6\u00dfe"


@pytest.mark.parametrize("words", [["\udcff", "MODEL"], ["churn", "\udcff"], ["churn", "MODEL", "--env", "A=\udcff"]])
def test_bytes_that_are_no_text_are_wrong_usage(cli: InOneProcess, model: Path, words: list[str]) -> None:
    answer = cli("deploy", *(str(model) if word == "MODEL" else word for word in words), "--json")
    assert (answer.exit_code, answer.error["error"]) == (2, "InvalidConfig")
