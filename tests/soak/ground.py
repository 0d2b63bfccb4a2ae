"""The platform of a soak, what must hold there whenever nobody is at work, and what is left of it at its end."""

import json
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from operator import methodcaller
from pathlib import Path

from deployer.rollout.reconcile import Report
from deployer.server import ModelServer, State
from deployer.testing.hammer import Hammer, Reply
from deployer.testing.invariants import violations
from deployer.testing.process import ProcessHarness
from deployer.testing.victims import elsewhere

REST_S = 0.03
BACK_WITHIN_S = 90.0
AN_HOUR_S = 3600.0


@contextmanager
def hammered(harness: ProcessHarness, servers: Sequence[ModelServer]) -> Iterator[list[Hammer]]:
    """Requests to each of them while the context is open, at a rate that leaves room for deployers."""
    with ExitStack() as stack:
        hammers = [stack.enter_context(harness.hammer(server)) for server in servers]
        for hammer in hammers:
            hammer.rest_s = REST_S
        yield hammers


def settle(harness: ProcessHarness) -> list[str]:
    """Reconcile once, as nobody else is at work; what is not as it should be then."""
    _age_what_was_broken_off(harness)
    report: Report = elsewhere(harness, methodcaller("reconcile", timeout=60))
    wrong = [f"reconcile of {r.name}: {r.error or r.pending}" for r in report.servers if r.error or r.pending]
    return wrong + violations(harness.deployer())


def settle_until_all_serve(harness: ProcessHarness, servers: Sequence[ModelServer]) -> list[str]:
    """Reconcile until they do, as what dies is brought back after a pause; what is not as it should be then."""
    until = time.monotonic() + BACK_WITHIN_S
    while (wrong := settle(harness) + silent(harness, servers)) and time.monotonic() < until:
        time.sleep(0.5)
    return wrong


def silent(harness: ProcessHarness, servers: Sequence[ModelServer]) -> list[str]:
    """Those that are not there any more, or do not answer as the registry says."""
    standing = {server.uuid: server for server in harness.deployer().find_model_server()}
    return [text for server in servers for text in _of_server(harness, server, standing.get(server.uuid))]


def clear(harness: ProcessHarness) -> list[str]:
    """Delete all servers and end the gateway; what is left even so."""
    deployer = harness.deployer()
    for server in deployer.find_model_server():
        deployer.delete_model_server(server.uuid)
    left = settle(harness) + harness.leftovers() + [str(workload.ref) for workload in deployer.engine.list()]
    try:
        harness.close()
    except AssertionError as error:
        left.append(str(error))
    return left


def _of_server(harness: ProcessHarness, server: ModelServer, found: ModelServer | None) -> Iterator[str]:
    if found is None or found.state is not State.READY:
        yield f"{server.name} is {found.state if found else 'gone'}: {found.message if found else ''}"
    elif (reply := harness.ask(found)) != Reply(200, _answer_of(found), found.revision):
        yield f"{server.name} stands at revision {found.revision} with {_answer_of(found)}, and answers {reply}"


def _answer_of(server: ModelServer) -> str:
    model: dict[str, str] = json.loads((Path(server.config.model_uri) / "model.json").read_text())
    return model["answer"]


def _age_what_was_broken_off(harness: ProcessHarness) -> None:
    """So that nobody has to wait for the minute after which it is cleared up."""
    long_ago = time.time() - AN_HOUR_S
    for pattern in (".locks-*", "*/.tmp-*", "*/.gone-*"):
        for path in harness.state_dir.glob(pattern):
            os.utime(path, (long_ago, long_ago))
