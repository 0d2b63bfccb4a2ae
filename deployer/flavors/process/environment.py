"""What a server may know of the machine: named here one by one, so that no secret of the deployer's reaches it."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from deployer.config import GPUS_SEEN, ModelServerConfig
from deployer.engine import Launch
from deployer.errors import EnvironmentGone
from deployer.runtimes.threads import thread_counts

HARMLESS = frozenset(
    {"PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LANGUAGE", "TZ", "TMPDIR"}
    | {"LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "SSL_CERT_FILE", "SSL_CERT_DIR"}
    | {"CUDA_HOME", "CUDA_VISIBLE_DEVICES", "NVIDIA_VISIBLE_DEVICES"}
)
HARMLESS_PREFIXES = ("LC_", "OMP_", "OPENBLAS_", "MKL_", "NUMEXPR_", "VECLIB_")


def harmless(environment: Mapping[str, str]) -> dict[str, str]:
    """The variables that tell of the machine alone."""
    return {
        name: value for name, value in environment.items() if name in HARMLESS or name.startswith(HARMLESS_PREFIXES)
    }


def first_in_path(python: Path | None, variables: Mapping[str, str]) -> dict[str, str]:
    """The same with the programs of that interpreter's environment before all others."""
    if python is None:
        return dict(variables)
    path = os.pathsep.join(filter(None, [str(python.parent), variables.get("PATH", "")]))
    return {**variables, "PATH": path, "VIRTUAL_ENV": str(python.parents[1])}


def no_environment(key: str) -> Path:
    """For an engine without isolated environments: it has none."""
    raise EnvironmentGone(f"There is no Python environment {key[:12]} here.")


def of_server(
    launch: Launch, config: ModelServerConfig, secrets: Mapping[str, str], gpus: Sequence[str]
) -> tuple[dict[str, str], list[str]]:
    """Its whole environment, and the variables of it in which places are to be filled."""
    own = {"PORT": "{port}", "PYTHONDONTWRITEBYTECODE": "1"}
    given = {GPUS_SEEN: ",".join(gpus)} if gpus else {}
    of_machine = {**harmless(os.environ), **thread_counts(config.resources)}
    filled = [*(launch.env.keys() - config.env.keys() - secrets.keys()), "PORT"]
    return {**of_machine, **launch.env, **config.env, **secrets, **given, **own}, filled


def places(model: Path, revision: int, python: Path | None) -> dict[str, str]:
    """What stands for `{name}` in its command and its environment."""
    filled = {"model": str(model), "revision": str(revision)}
    return filled | {"python": str(python)} if python else filled
