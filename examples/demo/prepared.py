"""Empty databases for the demo, made once: run as `python -m examples.demo.prepared FOLDER`."""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from examples.demo.environment import QUIET

PREFECT, MLFLOW = "prefect.db", "mlflow.db"


def make(folder: Path) -> None:
    """A Prefect server's and an MLflow tracking store's, each with its tables and nothing in them."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as home:
        env = os.environ | QUIET | {"PREFECT_HOME": home}
        subprocess.run(
            [sys.executable, "-m", "prefect", "server", "database", "upgrade", "--yes"],
            env=env, check=True, stdout=subprocess.DEVNULL,
        )  # fmt: skip
        create = f"import mlflow; mlflow.set_tracking_uri('sqlite:///{home}/{MLFLOW}'); mlflow.search_experiments()"
        subprocess.run([sys.executable, "-c", create], env=env, check=True, stderr=subprocess.DEVNULL)
        for name in (PREFECT, MLFLOW):
            shutil.copy(Path(home) / name, folder / name)


def copy(folder: Path, into: Path) -> bool:
    """Whether both were there to be copied."""
    if not all((folder / name).is_file() for name in (PREFECT, MLFLOW)):
        return False
    for name in (PREFECT, MLFLOW):
        shutil.copy(folder / name, into / name)
    return True


if __name__ == "__main__":
    make(Path(sys.argv[1]))
