"""The flow of the demo: what a team has already, and one call more."""

from pathlib import Path

import mlflow
from prefect import flow, task
from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import train_test_split

from deployer import ModelServer, ModelServerConfig
from deployer.tasks import deploy_model

SERVER = "demo-digits"
"""Like nobody else's on the same platform."""


@task
def train(trees: int) -> tuple[str, float]:
    """Train on scikit-learn's handwritten digits, log the model with MLflow; where it is, and its accuracy."""
    pixels, digits = load_digits(return_X_y=True)
    seen, unseen, seen_digits, unseen_digits = train_test_split(pixels, digits, random_state=0)
    model = RandomForestClassifier(trees, max_depth=4, random_state=0).fit(seen, seen_digits)
    accuracy = float(model.score(unseen, unseen_digits))
    with mlflow.start_run():
        mlflow.log_metric("accuracy", accuracy)
        logged = mlflow.sklearn.log_model(
            model, name="digits", serialization_format="cloudpickle", pip_requirements=["scikit-learn"]
        )
    return mlflow.artifacts.download_artifacts(logged.model_uri), accuracy


@flow
def train_and_deploy(deployer: str, trees: int, interrupted_upload: bool = False) -> tuple[ModelServer, float]:
    """Train a model and put it behind its URL.

    Args:
        interrupted_upload: lose half of the model's bytes on the way, as happens.
    """
    model_uri, accuracy = train(trees)
    if interrupted_upload:
        pickled = Path(model_uri) / "model.pkl"
        pickled.write_bytes(pickled.read_bytes()[: pickled.stat().st_size // 2])
    server = deploy_model(ModelServerConfig(model_name=SERVER, model_uri=model_uri), deployer)
    return server, accuracy


def open_tracking_store(folder: Path) -> None:
    """An MLflow tracking store in one file."""
    mlflow.set_tracking_uri(f"sqlite:///{folder}/mlflow.db")
    mlflow.create_experiment("digits", artifact_location=str(folder / "artifacts"))
    mlflow.set_experiment("digits")
