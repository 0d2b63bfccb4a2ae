"""What MLflow's scoring app needs in an environment of its own."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from deployer.environments.requirements import Requirements

MLFLOW, SKINNY = "mlflow", "mlflow-skinny"
WITH_ITS_APP = ">=3,<4"
TESTED = {SKINNY: "3.17.2", "pandas": "3.1.1", "uvicorn": "0.54.0", "uvloop": "0.23.0"}
"""The versions in requirements.lock, which a test compares."""
TESTED_ON = (3, 11)
DECIDES = {"pandas": ("pandas", "numpy")}
"""A model that pins one of these decides the version, by what fits them."""


def needs(requirements: "Requirements", python: str) -> Iterator[str]:
    """Its packages, at the versions that they are tested with where the model leaves them open.

    A model's `mlflow` is met by `mlflow-skinny` of that version: the same without what serving does not need.
    """
    named = {wanted.name: wanted.requirement for wanted in requirements.wanted}
    asked = named.get(SKINNY) or named.get(MLFLOW)
    yield f"{SKINNY}{WITH_ITS_APP}"
    if asked:
        yield f"{SKINNY}{asked.specifier}"
    tested = tuple(map(int, python.split("."))) >= TESTED_ON
    for package, version in TESTED.items():
        if package == SKINNY and asked:
            continue
        open_ = not requirements.names(*DECIDES.get(package, (package,)))
        yield f"{package}=={version}" if tested and open_ else package
