from collections.abc import Iterator
from pathlib import Path

import pytest

from deployer.processes.held import HeldProcess


@pytest.fixture
def process(tmp_path: Path) -> Iterator[HeldProcess]:
    """A process that is not started yet, wanted running; ended afterwards whatever comes."""
    held = HeldProcess(tmp_path / "server")
    held.prepare()
    yield held
    held.stop(0)
