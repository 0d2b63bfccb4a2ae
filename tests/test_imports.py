import subprocess
import sys

import pytest

HEAVY = {"docker", "fastapi", "kubernetes", "mlflow", "numpy", "pandas", "prefect"}


MODULES = ("deployer", "deployer.cli.main", "deployer.client", "deployer.provenance", "deployer.references")


@pytest.mark.parametrize("module", [*MODULES, "deployer.secrets"])
def test_what_is_heavy_is_imported_only_when_it_is_used(module: str) -> None:
    program = f"import sys, {module}; print(*{HEAVY!r}.intersection(sys.modules))"
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert run.stdout.split() == []
