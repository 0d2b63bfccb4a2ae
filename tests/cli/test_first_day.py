"""What the README's first commands lead to, from an installed wheel in a folder of the user's."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.command_line import InProcesses
from tests.support.installed import run_from

TRAIN = """
import sys
import mlflow.sklearn
from sklearn.datasets import load_iris
from sklearn.tree import DecisionTreeClassifier

model = DecisionTreeClassifier(max_depth=3, random_state=0).fit(*load_iris(return_X_y=True))
mlflow.sklearn.save_model(model, sys.argv[1], pip_requirements=[], serialization_format="cloudpickle")
"""


@pytest.mark.xdist_group("mlflow")
@pytest.mark.timeout(300)
def test_after_pip_install_two_commands_serve_and_ask_a_model_of_ones_own(
    program: InProcesses, wheel: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "of-the-user"
    folder.mkdir()
    subprocess.run([sys.executable, "-c", TRAIN, "models/churn"], cwd=folder, check=True, timeout=120)
    env = {name: value for name, value in program.environment.items() if name.startswith("MODEL_DEPLOYER_")}
    where = "import deployer; print(deployer.__file__)"
    deployed = run_from(wheel, folder, "deploy", "churn", "models/churn", **env)
    assert deployed.exit_code == 0, deployed.stderr
    assert "churn serves revision 1 at http://" in deployed.stdout
    asked = run_from(wheel, folder, "predict", "churn", "[[5.1, 3.5, 1.4, 0.2]]", **env)
    assert json.loads(asked.stdout) == [0]
    ran = subprocess.run(
        [sys.executable, "-P", "-c", where], env={"PYTHONPATH": str(wheel)}, capture_output=True, text=True, check=True
    )
    assert Path(ran.stdout.strip()).is_relative_to(wheel)
