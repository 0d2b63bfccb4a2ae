"""What makes two environments the same."""

import re
from pathlib import Path

import pytest

from deployer.config import ModelServerConfig
from deployer.environments.definition import Definition
from deployer.environments.requirements import requirements_of
from deployer.errors import InvalidModel
from deployer.runtimes import runtime_of
from deployer.runtimes.mlflow_needs import TESTED
from tests.environments.packages import wheel


def definition(model: Path, text: str, *needs: str, python: str = "3.11") -> Definition:
    (model / "requirements.txt").write_text(text)
    requirements = requirements_of(model)
    assert requirements
    return Definition(requirements, needs, python)


def needs_of_mlflow(model: Path, text: str, python: str = "3.11") -> list[str]:
    (model / "requirements.txt").write_text(text)
    requirements = requirements_of(model)
    assert requirements
    return list(runtime_of("mlflow").needs(requirements, python))


def test_order_case_and_comments_make_no_other_environment(model: Path) -> None:
    one = definition(model, "Scikit_Learn>=1,<2 # c\nnumpy==2\n")
    other = definition(model, "numpy==2\n\nscikit-learn <2, >=1\n")
    assert one.key == other.key and re.fullmatch("[0-9a-f]{64}", one.key)


@pytest.mark.parametrize(
    ("text", "needs", "python"),
    [
        ("tiny==1\n", (), "3.11"),
        ("tiny\n", ("uvicorn",), "3.11"),
        ("tiny\n", (), "3.12"),
        ("tiny[fast]\n", (), "3.11"),
        ("tiny ; python_version > '3'\n", (), "3.11"),
        ("tiny\n--pre\n", (), "3.11"),
        ("--extra-index-url https://host/simple\ntiny\n", (), "3.11"),
        ("tiny\n-c constraints.txt\n", (), "3.11"),
        ("tiny --hash=sha256:aa\n", (), "3.11"),
    ],
)
def test_whatever_decides_what_is_installed_makes_another_one(
    text: str, needs: tuple[str, ...], python: str, model: Path
) -> None:
    (model / "constraints.txt").write_text("idna==3\n")
    assert definition(model, text, *needs, python=python).key != definition(model, "tiny\n").key


def test_a_package_in_the_model_counts_by_its_content(model: Path, tmp_path: Path) -> None:
    keys = []
    for folder, requires in [(model, ()), (tmp_path / "same", ()), (tmp_path / "other", ("idna",))]:
        wheel(folder, "tiny", "1.0", requires)
        keys.append(definition(folder, "tiny-1.0-py3-none-any.whl\n").key)
    assert keys[0] == keys[1] != keys[2]


def test_an_option_that_uv_does_not_take_is_named(model: Path) -> None:
    definition(model, "--prefer-binary\n--no-index\ntiny\n").check()
    with pytest.raises(InvalidModel, match="--trusted-host"):
        definition(model, "--trusted-host example.org\n").check()


@pytest.mark.parametrize(
    "text",
    [
        "--index-url https://${USER}:${TOKEN}@host/simple\ntiny\n",
        "--extra-index-url https://host/${TOKEN}/simple\ntiny\n",
        "tiny @ https://${TOKEN}@host/tiny-1.0-py3-none-any.whl\n",
        "tiny\n-c constraints.txt\n",
    ],
)
def test_a_variable_is_named_with_where_a_login_belongs(text: str, model: Path) -> None:
    (model / "constraints.txt").write_text("tiny @ https://${TOKEN}@host/tiny-1.0-py3-none-any.whl\n")
    with pytest.raises(InvalidModel, match=r"\$\{(USER|TOKEN)\}") as caught:
        definition(model, text).check()
    assert "UV_INDEX" in caught.value.hint


def test_mlflow_is_served_by_what_it_is_tested_with(model: Path) -> None:
    lock = Path("requirements.lock").read_text()
    assert all(f"\n{package}=={version} " in lock for package, version in TESTED.items())
    asked = needs_of_mlflow(model, "scikit-learn\n")
    assert asked == ["mlflow-skinny>=3,<4", *(f"{package}=={version}" for package, version in TESTED.items())]


def test_what_a_model_pins_is_left_to_it(model: Path) -> None:
    asked = needs_of_mlflow(model, "mlflow==3.9.0\nnumpy==1.26\nuvicorn<1\n")
    assert {"mlflow-skinny==3.9.0", "pandas", "uvicorn", f"uvloop=={TESTED['uvloop']}"} < set(asked)


def test_an_older_python_than_is_tested_has_what_fits_it(model: Path) -> None:
    assert "uvloop" in needs_of_mlflow(model, "tiny\n", python="3.10")


def test_a_models_mlflow_is_met_by_the_smaller_one_only_where_that_serves(model: Path) -> None:
    needs = needs_of_mlflow(model, "mlflow==3.9.0\ntiny\n")
    assert "mlflow==3.9.0" not in definition(model, "mlflow==3.9.0\ntiny\n", *needs).lines
    assert definition(model, "mlflow==3.9.0\ntiny\n").lines == ["mlflow==3.9.0", "tiny"]


def test_mlflow_need_not_be_installed_here_for_an_isolated_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deployer.runtimes.mlflow.find_spec", lambda name: None)
    runtime_of("mlflow").check_config(ModelServerConfig(name="m", model_uri="m", environment="isolated"))
