from pathlib import Path

import pytest

from deployer.cli.config import config_of
from deployer.errors import InvalidConfig, InvalidRequest
from tests.support.command_line import InOneProcess

GIVEN = {"name": "churn", "model_uri": "m"}


def written(folder: Path, text: str, name: str = "config.yaml") -> Path:
    file = folder / name
    file.write_text(text)
    return file


def test_the_command_line_wins_over_the_file(tmp_path: Path) -> None:
    file = written(tmp_path, "{name: a, model_uri: b, model_type: c, replicas: 2, env: {A: '1', B: '1'}}")
    config = config_of(file, {"name": "churn", "model_uri": None, "model_type": "tree"}, ["B=2", "C=x=y"], [])
    assert (config.name, config.model_uri, config.model_type, config.replicas) == ("churn", "b", "tree", 2)
    assert config.env == {"A": "1", "B": "2", "C": "x=y"}


def test_json_is_read_too(tmp_path: Path) -> None:
    file = written(tmp_path, '{"name": "churn", "model_uri": "m", "secrets": {"A": "env:B"}}', "config.json")
    assert config_of(file, {}, [], ["C=file:/d"]).secrets == {"A": "env:B", "C": "file:/d"}


@pytest.mark.parametrize(
    ("text", "name", "said"),
    [
        ("modle_type: x", "c.yaml", "modle_type: "),
        ("replicas: many", "c.yaml", "replicas: "),
        ("env: {A: 1}", "c.yaml", "env.A: "),
        ("env: A", "c.yaml", "env: "),
        ("rollout: canary", "c.yaml", "rollout: "),
        ("probes: {settle_s: -1}", "c.yaml", "probes.settle_s: "),
        ("1: x", "c.yaml", "1: "),
        ("a: [", "c.yaml", "line 1, column 5"),
        ("a: \x00", "c.yaml", "characters that YAML does not allow"),
        ("{,}", "c.json", "line 1, column 2"),
        ("[" * 100_000, "c.json", "nested too deep"),
        ("- a", "c.yaml", "a list"),
        ("", "c.yaml", "nothing"),
        ("just words", "c.yaml", "text"),
    ],
)
def test_what_is_wrong_in_a_file_is_told_with_field_and_file(tmp_path: Path, text: str, name: str, said: str) -> None:
    file = written(tmp_path, text, name)
    with pytest.raises(InvalidConfig) as caught:
        config_of(file, GIVEN, ["X=1"], [])
    assert said in caught.value.what
    assert str(file) in caught.value.what


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00")
    for place, said in [("absent.yaml", "No such file"), ("", "Is a directory"), ("binary.yaml", "not UTF-8")]:
        with pytest.raises(InvalidConfig, match=said):
            config_of(tmp_path / place, GIVEN, [], [])


def test_a_secret_whose_key_was_forgotten_is_not_shown() -> None:
    with pytest.raises(InvalidRequest) as caught:
        config_of(None, GIVEN, [], ["hunter2"])
    assert "hunter2" not in str(caught.value)
    with pytest.raises(InvalidConfig) as wrong:
        config_of(None, GIVEN, [], ["TOKEN=hunter2"])
    assert "TOKEN" in str(wrong.value)
    assert "hunter2" not in str(wrong.value)


def test_a_wrong_config_is_wrong_usage(cli: InOneProcess, model: Path, tmp_path: Path) -> None:
    answer = cli("deploy", "churn", model, "--config", written(tmp_path, "modle_type: x"), "--json")
    assert (answer.exit_code, answer.error["error"]) == (2, "InvalidConfig")


def test_a_file_alone_is_enough(cli: InOneProcess, model: Path, tmp_path: Path) -> None:
    text = f"{{name: churn, model_uri: {model}, runtime: command, command: {{line: serve}}, probes: {{settle_s: 0}}}}"
    assert cli("deploy", "--config", written(tmp_path, text)).exit_code == 0


def test_yaml_that_holds_itself_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidConfig):
        config_of(written(tmp_path, "env: &a {A: *a}"), GIVEN, [], [])
