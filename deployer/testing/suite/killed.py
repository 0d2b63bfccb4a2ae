"""Scenarios 25 and 34 with real signals: deployers in processes of their own, struck while requests come."""

from itertools import product
from operator import methodcaller
from signal import SIGKILL, SIGSTOP

import pytest

from deployer.config import Drain, Probes
from deployer.errors import Superseded
from deployer.server import ModelServer, State
from deployer.testing.faults import Killed
from deployer.testing.hammer import Reply
from deployer.testing.harness import Harness
from deployer.testing.invariants import violations
from deployer.testing.victims import Act, Strike, Victim, elsewhere

REPLACE = (
    "store.add",
    "engine.create",
    "engine.start",
    "gateway.write",
    "gateway.acknowledge",
    "engine.stop",
    "engine.delete",
)
"""The calls by which a replace changes something, in their order."""
KILLS = [(REPLACE[0], False), *((call, True) for call in REPLACE)]
"""Calls, each with whether it takes effect before the kill; what is left then is the same until the next one."""
REST_S = 0.02


@pytest.mark.parametrize(("call", "after"), KILLS)
def test_25_a_deployer_killed_for_real_at_a_call_of_a_replace_fails_no_request(
    harness: Harness, call: str, after: bool
) -> None:
    server = elsewhere(harness, replace_with(harness, "v0"))
    with harness.hammer(server) as hammer:
        hammer.rest_s = REST_S
        for number in range(1, max(harness.tries, 2) + 1):
            stood, wish, later = harness.ask(server).answer, f"killed-{number}", f"later-{number}"
            assert_killed(harness, replace_with(harness, wish), Strike(SIGKILL, call, after))
            if number == 1:  # By a deploy, then by a reconcile.
                elsewhere(harness, replace_with(harness, later))
                assert_serves(harness, server, later)
            else:
                assert elsewhere(harness, methodcaller("reconcile")).failed == ()
                assert_serves(harness, server, wish if _has("engine.create", call, after) else stood)
    assert hammer.sent and hammer.failed == []


@pytest.mark.parametrize("call", REPLACE)
def test_34_a_deployer_frozen_for_real_at_a_call_of_a_replace_fails_no_request(harness: Harness, call: str) -> None:
    server = elsewhere(harness, replace_with(harness, "v0"))
    with harness.hammer(server) as hammer:
        hammer.rest_s = REST_S
        for number, after in product(range(1, harness.tries + 1), (False, True)):
            wish, later = f"frozen-{number}-{after}", f"later-{number}-{after}"
            with Victim(harness, replace_with(harness, wish), Strike(SIGSTOP, call, after)) as victim:
                assert victim.frozen()
                other = elsewhere(harness, replace_with(harness, later))
                victim.thaw()
                _assert_told(victim, other, call, after)
            assert_serves(harness, server, later if _has("engine.create", call, after) else wish)
    assert hammer.sent and hammer.failed == []


def replace_with(harness: Harness, answer: str) -> Act:
    """A deploy that wastes no time, of a model that gives that answer."""
    probes, drain = Probes(settle_s=0.05, startup_s=20), Drain(drain_s=0.05, grace_s=5)
    config = harness.config(answer, delay_s=0, probes=probes, drain=drain)
    return methodcaller("deploy_model", config, replace=True)


def assert_killed(harness: Harness, act: Act, strike: Strike | None = None) -> None:
    """The deployer comes to where it is killed, and does not tell."""
    with Victim(harness, act, strike) as victim, pytest.raises(Killed):
        victim.told()


def assert_serves(harness: Harness, server: ModelServer, answer: str) -> None:
    """That server serves that model, and nothing is left beside it."""
    deployer = harness.deployer()
    (found,) = deployer.find_model_server()
    assert (found.uuid, found.url, found.state) == (server.uuid, server.url, State.READY)
    assert harness.ask(server) == Reply(200, answer, found.revision)
    assert violations(deployer) == []
    assert harness.leftovers() == []


def _has(what: str, call: str, after: bool) -> bool:
    """Whether a replace has made that call, right before or after the other."""
    return REPLACE.index(what) < REPLACE.index(call) + after


def _assert_told(victim: Victim, other: ModelServer, call: str, after: bool) -> None:
    """The later create wins; what took traffic before is no failure."""
    if not _has("engine.create", call, after):
        assert victim.told().revision == other.revision + 1
    elif not _has("gateway.write", call, after):
        with pytest.raises(Superseded):
            victim.told()
    else:
        assert victim.told().revision == other.revision - 1
