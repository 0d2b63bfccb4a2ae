"""Scenario 16: what must not serve never does, and what served before does not notice."""

from dataclasses import dataclass, field
from typing import Any

import pytest

from deployer.config import Probes
from deployer.errors import RevisionRefused, RolloutTimeout
from deployer.server import State
from deployer.testing.hammer import Reply
from deployer.testing.harness import Harness


@dataclass(frozen=True)
class Bad:
    """A model that must not serve, and how its deployer is told.

    Attributes:
        exit_code: of its process, None where it still ran.
        log: what the tail of its log holds.
    """

    mode: str
    error: type[RevisionRefused]
    said: str
    exit_code: int | None = None
    log: str = ""
    timeout: int = 20
    fields: dict[str, Any] = field(default_factory=dict)


BAD = [
    Bad("exit", RevisionRefused, "ended before it was ready", exit_code=7, log="cannot load model"),
    Bad(
        "once",
        RevisionRefused,
        "ended before it was ready",
        exit_code=3,
        log="serving",
        fields={"probes": Probes(settle_s=2)},
    ),
    Bad("hang", RolloutTimeout, "not ready within 3 s", timeout=3),
    Bad("sick", RolloutTimeout, "not ready within 8 s", timeout=8, log="serving"),
    Bad("hang", RevisionRefused, "not ready within 1 s", fields={"probes": Probes(startup_s=1)}),
]


@pytest.mark.parametrize("bad", BAD, ids=lambda bad: f"{bad.mode}-{bad.error.__name__}")
def test_16_a_bad_revision_is_refused_while_the_old_one_serves_on(harness: Harness, bad: Bad) -> None:
    deployer = harness.deployer()
    server = deployer.deploy_model(harness.config("v1"))
    with harness.hammer(server) as hammer:
        with pytest.raises(bad.error) as raised:
            deployer.deploy_model(harness.config("v2", bad.mode, **bad.fields), replace=True, timeout=bad.timeout)
        (found,) = harness.deployer().find_model_server()
    _assert_tells(raised.value, bad)
    assert type(raised.value) is bad.error
    assert (found.uuid, found.url, found.revision, found.state) == (server.uuid, server.url, 1, State.READY)
    assert "revision 2 was refused" in found.message
    assert hammer.sent and hammer.failed == []
    assert {timed.reply for timed in hammer.replies} == {Reply(200, "v1", 1)}


def test_16_after_a_refusal_the_next_revision_has_a_new_number_and_serves(harness: Harness) -> None:
    deployer = harness.deployer()
    server = deployer.deploy_model(harness.config("v1"))
    for refused in (2, 3):
        with pytest.raises(RevisionRefused, match=f"Revision {refused} "):
            deployer.deploy_model(harness.config("v2", "exit"), replace=True)
    deployer.deploy_model(harness.config("v2"), replace=True)
    assert harness.ask(server) == Reply(200, "v2", 4)
    outcomes = [str(entry.outcome) for entry in deployer.history(server.uuid)]
    assert outcomes == ["served", "refused", "refused", "served"]


def _assert_tells(error: RevisionRefused, bad: Bad) -> None:
    assert bad.said in error.what
    assert error.exit_code == bad.exit_code
    assert bad.log in error.log_tail
    assert error.serving == "Revision 1 serves on as before." and error.hint and error.status
