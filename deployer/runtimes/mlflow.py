"""MLflow's scoring app, for every model that `mlflow.<flavor>.log_model` or `save_model` wrote."""

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from deployer.config import Drain, ModelServerConfig
from deployer.engine import Launch
from deployer.errors import InvalidModel, Unsupported
from deployer.gateway import REVISION_HEADER
from deployer.runtimes import mlflow_needs
from deployer.runtimes.runtime import HERE, Place

if TYPE_CHECKING:
    from deployer.environments.requirements import Requirements

PROTOCOL = "mlflow"
GENERIC = "python_function"
ENVIRONMENT = {
    "__pyfunc_model_path__": "{model}",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "PYTHONDONTWRITEBYTECODE": "1",
}


class MLflowRuntime:
    """One process of uvicorn, on this interpreter or an environment's; its port opens once the model is loaded."""

    protocol = PROTOCOL

    def check_config(self, config: ModelServerConfig, place: Place = HERE) -> None:
        """Nothing in the config can be wrong for it, but MLflow must be there, unless it is installed for the model.

        Raises:
            Unsupported: it is not.
        """
        if config.environment == "isolated" or not place.is_here:
            return
        if not all(find_spec(module) for module in ("mlflow", "pandas", "uvicorn", "uvloop")):
            raise Unsupported(
                "The runtime `mlflow` needs MLflow, which is not installed here.",
                hint="Install it: pip install 'prefect-model-deployer[mlflow]'",
            )

    def model_type(self, model: Path) -> str:
        """The flavor that it was logged with (sklearn, xgboost, …), else `pyfunc`."""
        flavors = _flavors(model)
        return next((flavor for flavor in flavors if flavor != GENERIC), "pyfunc")

    def names_python(self, config: ModelServerConfig) -> bool:
        return True

    def needs(self, requirements: "Requirements", python: str) -> tuple[str, ...]:
        """What this library is tested with, but for what the model pins itself."""
        return tuple(mlflow_needs.needs(requirements, python))

    def launch(self, config: ModelServerConfig, place: Place = HERE) -> Launch:
        grace_s = (config.drain or Drain()).grace_s
        python = "{python}" if config.environment == "isolated" else place.python
        listens = ("--fd", "{descriptor}") if place.is_here else ("--host", "0.0.0.0", "--port", "{port}")
        return Launch(
            argv=(
                *(python, "-P", "-m", "uvicorn", "mlflow.pyfunc.scoring_server.app:app"),
                *(*listens, "--loop", "uvloop"),
                *("--timeout-graceful-shutdown", str(int(grace_s))),
                *("--header", f"{REVISION_HEADER}:{{revision}}", "--no-server-header", "--no-access-log"),
            ),
            env=dict(ENVIRONMENT),
            readiness_path=(config.probes and config.probes.path) or "/ping",
            takes_descriptor=place.is_here,
            stamps_revision=True,
        )

    def prediction_path(self, config: ModelServerConfig) -> str:
        return "/invocations"


def _flavors(model: Path) -> list[str]:
    import yaml  # only a deploy reads models; a list should not wait for it

    try:
        described = yaml.safe_load((model / "MLmodel").read_text())
    except (FileNotFoundError, NotADirectoryError):
        raise _invalid(f"There is no file MLmodel in it{_elsewhere(model)}.") from None
    except (yaml.YAMLError, UnicodeDecodeError):
        raise _invalid("Its file MLmodel is no YAML.") from None
    flavors = described.get("flavors") if isinstance(described, Mapping) else None
    if not isinstance(flavors, Mapping) or GENERIC not in flavors:
        raise _invalid(f"Its file MLmodel names no flavor {GENERIC}.")
    return [str(flavor) for flavor in flavors]


def _elsewhere(model: Path) -> str:
    found = next(model.glob("*/**/MLmodel"), None) if model.is_dir() else None
    return f", but there is one in its folder {found.parent.relative_to(model)}" if found else ""


def _invalid(why: str) -> InvalidModel:
    return InvalidModel(
        f"The runtime `mlflow` cannot serve this model. {why}",
        hint=(
            "Write the model with MLflow, as in mlflow.sklearn.save_model(model, path) or log_model, and give that "
            "folder; or serve it with a command line of your own: the runtime `command`."
        ),
    )
