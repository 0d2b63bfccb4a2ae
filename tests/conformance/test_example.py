"""A third party's flavor passes by one fixture."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from deployer.testing.suite import *  # noqa: F403
from examples.flavor.harness import ChildHarness


@pytest.fixture
def harness(tmp_path: Path) -> Iterator[ChildHarness]:
    with closing(ChildHarness(tmp_path)) as mine:
        yield mine
