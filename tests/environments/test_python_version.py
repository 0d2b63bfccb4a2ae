from pathlib import Path

import pytest

from deployer.environments.python_version import python_here, python_of
from deployer.errors import InvalidModel


@pytest.mark.parametrize(
    ("file", "text", "version"),
    [
        ("python_env.yaml", "python: 3.10.4\nbuild_dependencies: [pip]\n", "3.10"),
        ("python_env.yaml", "python: 3.10\n", "3.10"),
        ("conda.yaml", "dependencies:\n- python=3.11.9\n- pip<=24\n- pip: [mlflow]\n", "3.11"),
        ("conda.yaml", "dependencies: [python==3.12]\n", "3.12"),
        ("conda.yaml", "dependencies: ['python>=3.8', python-dateutil=2.9]\n", ""),
        ("conda.yaml", "name: none\n", ""),
        ("python_env.yaml", "- 1\n", ""),
    ],
)
def test_a_model_says_by_which_python_it_was_made(file: str, text: str, version: str, model: Path) -> None:
    (model / file).write_text(text)
    assert python_of(model) == version


def test_one_that_does_not_say_it_may_have_any(model: Path) -> None:
    assert python_of(model) == ""
    assert python_of(model / "model.pkl") == ""


def test_a_file_that_is_no_yaml_is_refused(model: Path) -> None:
    (model / "python_env.yaml").write_text("python: [")
    with pytest.raises(InvalidModel, match="no YAML"):
        python_of(model)


def test_this_interpreter_has_a_major_and_a_minor_version() -> None:
    assert python_here().count(".") == 1
