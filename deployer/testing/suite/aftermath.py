"""What is checked around every scenario."""

from collections.abc import Iterator

import pytest

from deployer.testing.harness import Harness
from deployer.testing.invariants import violations
from deployer.testing.suite.applicable import reason

DELETED_WITHIN_S = 30


@pytest.fixture(autouse=True)
def aftermath(harness: Harness, request: pytest.FixtureRequest) -> Iterator[None]:
    """What must hold does once the scenario is over, and deleting its servers leaves nothing."""
    if why := reason(request.function.__name__, harness.traits):
        pytest.skip(f"not applicable: {why}")
    yield
    deployer = harness.deployer()
    assert violations(deployer) == []
    assert harness.leftovers() == []
    for server in deployer.find_model_server():
        deployer.delete_model_server(server.uuid, DELETED_WITHIN_S, force=True)
    assert deployer.engine.list() == []
    assert deployer.gateway.routes() == {}
    assert harness.leftovers() == []
