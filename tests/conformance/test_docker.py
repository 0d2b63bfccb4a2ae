from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from deployer.testing.docker import DockerHarness
from deployer.testing.suite import *  # noqa: F403

pytestmark = [
    pytest.mark.xdist_group("docker"),
    pytest.mark.usefixtures("docker_engine"),
    pytest.mark.timeout(400),  # A hundred containers are started one after the other.
]


@pytest.fixture
def harness(tmp_path: Path) -> Iterator[DockerHarness]:
    with closing(DockerHarness(tmp_path)) as mine:
        yield mine
