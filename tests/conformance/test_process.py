from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from deployer.testing.process import ProcessHarness
from deployer.testing.suite import *  # noqa: F403


@pytest.fixture
def harness(tmp_path: Path) -> Iterator[ProcessHarness]:
    with closing(ProcessHarness(tmp_path)) as mine:
        yield mine
