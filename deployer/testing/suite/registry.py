"""Scenario 23: names."""

import pytest
from pydantic import ValidationError

from deployer.records.names import platform_name
from deployer.server import ModelServer, State
from deployer.testing.harness import Harness

SHARED = "a-name-as-long-as-a-label-may-be-and-then-something-behind-its-63"
ODD = [
    SHARED + "-first",
    SHARED + "-second",
    "with spaces and/slashes",
    "Upper",
    "upper",
    "größe 模型 🙂",
    "churn-r5",
    "churn-deadbeef",
    platform_name("Upper"),
    "..",
    "n" * 255,
]


def test_23_names_of_every_kind_are_distinct_and_found_by_their_full_value(harness: Harness) -> None:
    deployer = harness.deployer()
    for name in ODD:
        deployer.deploy_model(harness.config(name[:30], name=name, model_name=name), timeout=0)
    deployer.reconcile()
    found = {name: _the_only(deployer.find_model_server(model_name=name)) for name in ODD}
    assert [found[name].name for name in ODD] == ODD
    assert {server.state for server in found.values()} == {State.READY}
    assert len({server.url for server in found.values()}) == len(ODD)
    assert [harness.ask(found[name]).answer for name in ODD] == [name[:30] for name in ODD]


@pytest.mark.parametrize("field", ["name", "model_name"])
@pytest.mark.parametrize("bad", ["a\nb", "a\x00b", "a\x7fb", " a", "a ", "\ta", "n" * 256])
def test_23_names_that_nobody_could_read_are_errors(harness: Harness, field: str, bad: str) -> None:
    with pytest.raises(ValidationError, match=field):
        harness.config("v1", **{field: bad})


def _the_only(servers: list[ModelServer]) -> ModelServer:
    (server,) = servers
    return server
