"""What the runtimes make of a config and a model."""

import importlib.machinery
import sys
from pathlib import Path

import pytest

from deployer.config import Command, Drain, ModelServerConfig, Probes
from deployer.errors import InvalidConfig, InvalidModel, UnknownName, Unsupported
from deployer.runtimes import runtime_of
from deployer.runtimes.runtime import IN_IMAGE

SKLEARN = """
flavors:
  python_function: {loader_module: mlflow.sklearn}
  sklearn: {pickled_model: model.pkl}
"""


def config(**fields: object) -> ModelServerConfig:
    return ModelServerConfig.model_validate({"model_uri": "models/churn", "model_name": "churn"} | fields)


def commanded(line: str, **fields: object) -> ModelServerConfig:
    return config(runtime="command", command=Command(line=line), **fields)


def test_an_unknown_runtime_names_the_known_ones() -> None:
    with pytest.raises(UnknownName, match="tensorrt") as unknown:
        runtime_of("tensorrt")
    assert "command, mlflow" in unknown.value.hint


def test_a_command_line_is_split_into_words_and_keeps_its_placeholders() -> None:
    launch = runtime_of("command").launch(commanded("serve --port {port} '{model}/my weights' {revision}"))
    assert launch.argv == ("serve", "--port", "{port}", "{model}/my weights", "{revision}")
    assert launch.env["PORT"] == "{port}"
    assert not launch.takes_descriptor
    assert not launch.stamps_revision


def test_a_command_line_may_find_its_port_in_the_environment() -> None:
    runtime_of("command").check_config(commanded("serve {model}"))


def test_the_runtime_command_needs_its_section() -> None:
    with pytest.raises(InvalidConfig, match="section `command`"):
        runtime_of("command").check_config(config(runtime="command"))


@pytest.mark.parametrize("line", ["serve 'weights", "serve weights\\", "", " ", "''"])
def test_a_command_line_that_cannot_be_run_is_refused(line: str) -> None:
    with pytest.raises(InvalidConfig) as refused:
        runtime_of("command").check_config(commanded(line))
    assert refused.value.hint


def test_a_container_may_run_its_image_s_own_command_and_its_own_python() -> None:
    runtime_of("command").check_config(commanded(""), IN_IMAGE)
    assert runtime_of("command").launch(commanded(""), IN_IMAGE).argv == ()
    assert runtime_of("command").launch(commanded("{python} serve.py"), IN_IMAGE).argv == ("python3", "serve.py")


def test_mlflow_in_a_container_listens_to_its_network_and_needs_nothing_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deployer.runtimes.mlflow.find_spec", lambda module: None)
    runtime_of("mlflow").check_config(config(), IN_IMAGE)
    launch = runtime_of("mlflow").launch(config(), IN_IMAGE)
    assert launch.argv[0] == "python3" and not launch.takes_descriptor
    assert "--host 0.0.0.0 --port {port}" in " ".join(launch.argv)


def test_another_runtime_leaves_the_section_command_unused() -> None:
    runtime_of("mlflow").check_config(config(command=Command(line="serve")))


def test_the_command_says_where_it_is_ready_and_where_it_predicts() -> None:
    own = config(runtime="command", command=Command(line="serve", readiness_path="/up", prediction_path="/v1/ask"))
    assert runtime_of("command").launch(own).readiness_path == "/up"
    assert runtime_of("command").prediction_path(own) == "/v1/ask"


@pytest.mark.parametrize("fields", [{}, {"runtime": "command", "command": Command(line="serve")}])
def test_the_probes_path_outranks_the_runtimes_own(fields: dict[str, object]) -> None:
    plain, probed = config(**fields), config(probes=Probes(path="/alive"), **fields)
    runtime = runtime_of(plain.runtime)
    assert runtime.launch(plain).readiness_path == "/ping"
    assert runtime.launch(probed).readiness_path == "/alive"


def test_mlflow_gets_the_whole_grace_to_finish_its_requests() -> None:
    argv = runtime_of("mlflow").launch(config(drain=Drain(grace_s=7.5))).argv
    assert argv[argv.index("--timeout-graceful-shutdown") + 1] == "7"


def test_a_missing_mlflow_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [])
    monkeypatch.setattr(sys, "path_importer_cache", {})
    finders = [importlib.machinery.BuiltinImporter, importlib.machinery.FrozenImporter, importlib.machinery.PathFinder]
    monkeypatch.setattr(sys, "meta_path", finders)
    for module in [name for name in sys.modules if name.split(".")[0] == "mlflow"]:
        monkeypatch.delitem(sys.modules, module)
    with pytest.raises(Unsupported) as missing:
        runtime_of("mlflow").check_config(config())
    assert "pip install 'prefect-model-deployer[mlflow]'" in missing.value.hint


def test_looking_for_mlflow_does_not_import_it() -> None:
    before = "mlflow" in sys.modules
    runtime_of("mlflow").check_config(config())
    assert ("mlflow" in sys.modules) == before


@pytest.mark.parametrize(
    ("described", "model_type"), [(SKLEARN, "sklearn"), ("flavors: {python_function: {loader_module: mine}}", "pyfunc")]
)
def test_an_mlflow_model_says_what_it_is(described: str, model_type: str, tmp_path: Path) -> None:
    (tmp_path / "MLmodel").write_text(described)
    assert runtime_of("mlflow").model_type(tmp_path) == model_type


@pytest.mark.parametrize(
    "described",
    [
        b"flavors: [",
        b"",
        b"just text",
        b"flavors: {sklearn: {}}",
        b"flavors: none",
        b"\xff\xfe\x00",
        b"- 1\n- 2",
        b"\x00",
    ],
)
def test_what_mlflow_cannot_serve_says_how_to_write_it(described: bytes, tmp_path: Path) -> None:
    (tmp_path / "MLmodel").write_bytes(described)
    with pytest.raises(InvalidModel) as refused:
        runtime_of("mlflow").model_type(tmp_path)
    assert "save_model" in refused.value.hint


def test_a_folder_above_an_mlflow_model_says_where_the_model_is(tmp_path: Path) -> None:
    (tmp_path / "artifacts" / "model").mkdir(parents=True)
    (tmp_path / "artifacts" / "model" / "MLmodel").write_text(SKLEARN)
    with pytest.raises(InvalidModel, match="artifacts/model"):
        runtime_of("mlflow").model_type(tmp_path)


def test_a_single_file_is_no_mlflow_model(tmp_path: Path) -> None:
    (tmp_path / "model.pkl").write_bytes(b"")
    with pytest.raises(InvalidModel, match="no file MLmodel"):
        runtime_of("mlflow").model_type(tmp_path / "model.pkl")
