from pathlib import Path

import pytest

from deployer.testing.memory import MemoryHarness
from deployer.testing.suite import *  # noqa: F403


@pytest.fixture
def harness(tmp_path: Path) -> MemoryHarness:
    return MemoryHarness(tmp_path)
