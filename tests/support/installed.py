"""The command as pip installs it: from the wheel, not from the checkout."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

from tests.support.command_line import Answer

PROJECT = Path(__file__).parents[2]
PROGRAM = "from deployer.cli.main import main; main()"


def installed_wheel(folder: Path) -> Path:
    """The wheel of this checkout, unpacked as an installer would; to come first on an import path."""
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=PROJECT, check=True, capture_output=True, timeout=120)
    (built,) = folder.glob("*.whl")
    zipfile.ZipFile(built).extractall(folder / "installed")
    return folder / "installed"


def run_from(wheel: Path, folder: Path, *words: object, **environment: str) -> Answer:
    """The command from the wheel, called in a folder of the user's."""
    ran = subprocess.run(
        [sys.executable, "-P", "-c", PROGRAM, *map(str, words)],
        env={**os.environ, "PYTHONPATH": str(wheel), **environment},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return Answer(ran.returncode, ran.stdout, ran.stderr)
