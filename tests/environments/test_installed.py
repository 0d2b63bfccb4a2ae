"""A model's requirements beside what is installed where it would be served."""

import os
import sys
from pathlib import Path

import pytest
import yaml  # noqa: F401 - no longer found once the path is cut

from deployer.environments.installed import mismatches
from deployer.environments.prepare import require_installed
from deployer.environments.requirements import requirements_of
from deployer.errors import EnvironmentMismatch
from tests.environments.packages import metadata

INSTALLED = {
    "alpha": ("1.5", ()),
    "beta": ("2.0rc1", ("alpha>=1 ; extra == 'fast'", "gamma==3 ; extra == 'fast'", "absent ; extra == 'slow'")),
    "gamma": ("3.1", ("delta>=1",)),
    "delta": ("4.0", ()),
    "mlflow-skinny": ("0.17.2", ()),
}


@pytest.fixture(autouse=True)
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An interpreter that finds these, and none of those that happen to be installed here."""
    folder = tmp_path / "site-packages"
    for name, (version, requires) in INSTALLED.items():
        info = folder / f"{name.replace('-', '_')}-{version}.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(metadata(name, version, requires))
    monkeypatch.setattr(sys, "path", [str(folder), *(path for path in sys.path if "site-packages" not in path)])
    return folder


def said(model: Path, *lines: str) -> list[str]:
    (model / "requirements.txt").write_text("\n".join(lines))
    requirements = requirements_of(model)
    assert requirements
    return [str(mismatch) for mismatch in mismatches(requirements)]


@pytest.mark.parametrize(
    "line",
    [
        "alpha==1.5",
        "Alpha",
        "alpha~=1.4",
        "alpha>1,<2",
        "beta>=2.0rc1",
        "beta>=1",
        "absent ; python_version < '3'",
        "mlflow==0.17.2",
        "mlflow-skinny",
        "alpha @ https://host/alpha-9-py3-none-any.whl",
        "--index-url https://host/simple",
    ],
)
def test_what_is_met_is_not_told(line: str, model: Path) -> None:
    assert said(model, line) == []


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("alpha==1.4", ["alpha==1.4: installed is 1.5"]),
        ("absent>=2", ["absent>=2: it is not installed"]),
        ("mlflow==0.18", ["mlflow==0.18: installed is 0.17.2"]),
        ("beta[fast]", ["gamma==3 (for beta[fast]): installed is 3.1"]),
        ("beta[slow]==2.0rc1", ["absent (for beta[slow]==2.0rc1): it is not installed"]),
        ("beta>=2", ["beta>=2: installed is 2.0rc1"]),
    ],
)
def test_what_is_not_met_is_told_with_what_is_wanted_and_what_is_there(line: str, told: list[str], model: Path) -> None:
    assert said(model, line) == told


def test_a_constraint_counts_for_what_the_requirements_bring_along(model: Path) -> None:
    (model / "constraints.txt").write_text("delta==3\nalpha==1\n")
    assert said(model, "gamma", "-c constraints.txt") == ["delta==3: installed is 4.0"]


def test_what_only_the_deployers_own_pythonpath_has_is_not_there_for_a_server(
    installed: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(["", str(installed)]))
    assert said(model, "alpha") == ["alpha: it is not installed"]


def test_the_error_names_all_that_differs_and_the_line_that_mends_it(model: Path) -> None:
    (model / "requirements.txt").write_text("alpha==1.4\nabsent>=2\ngamma\n")
    with pytest.raises(EnvironmentMismatch) as error:
        require_installed(model)
    assert error.value.what.splitlines()[1:] == [
        "- alpha==1.4: installed is 1.5",
        "- absent>=2: it is not installed",
    ]
    assert "pip install alpha==1.4 'absent>=2'" in error.value.hint
    assert "environment: isolated" in error.value.hint and "unchecked" in error.value.hint
    assert "nothing was changed" in error.value.serving


def test_another_python_than_the_models_is_told_though_all_else_is_met(model: Path) -> None:
    (model / "requirements.txt").write_text("alpha\n")
    (model / "python_env.yaml").write_text("python: 3.8.1\n")
    with pytest.raises(EnvironmentMismatch, match=r"made with Python 3\.8") as error:
        require_installed(model)
    assert "isolated" in error.value.hint
