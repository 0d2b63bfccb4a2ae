"""What scenarios 9, 16, 26, 28, 34 and 35 rest on: what an engine and a gateway promise to any number of deployers."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from uuid import uuid4

import pytest

from deployer.engine import Engine, Health, Phase, Ref, Wanted, Workload, WorkloadSpec
from deployer.errors import EngineError, RouteMoved, WorkloadExists
from deployer.runtimes import runtime_of
from deployer.testing.hammer import Reply
from deployer.testing.harness import Harness, HarnessWithPorts

AT_ONCE = 8
ENOUGH_S = 0.5
ACKNOWLEDGED_WITHIN_S = 10.0
OPERATIONS: dict[str, Callable[[Engine, Ref], object]] = {
    "mark": lambda engine, ref: engine.mark(ref, Wanted.STOPPED, "by a deployer that was frozen for long"),
    "start": lambda engine, ref: engine.start(ref),
    "stop": lambda engine, ref: engine.stop(ref, 0),
    "delete": lambda engine, ref: engine.delete(ref),
}


def test_09_an_engine_deletes_nothing_that_runs(harness: Harness) -> None:
    server = harness.deployer().deploy_model(harness.config("v1"))
    with pytest.raises(EngineError):
        harness.deployer().engine.delete(_workload(harness).ref)
    assert harness.ask(server) == Reply(200, "v1", 1)


def test_16_what_has_not_come_to_listen_is_not_ready_because_a_stranger_answers(harness: HarnessWithPorts) -> None:
    deployer = harness.deployer()
    server = deployer.deploy_model(harness.config("v1", "hang"), timeout=0)
    workload = _workload(harness)
    assert workload.phase is Phase.RUNNING
    with harness.impostor(workload):
        assert harness.deployer().engine.probe([workload], ENOUGH_S)[workload.ref].health is not Health.READY
        assert harness.deployer().reconcile(timeout=1).failed == ()
        assert harness.deployer().gateway.routes() == {}
    deployer.delete_model_server(server.uuid, force=True)


def test_28_what_ended_since_it_was_seen_is_not_ready_because_a_stranger_answers(harness: HarnessWithPorts) -> None:
    """Whoever was asked must run after the answer too."""
    server = harness.deployer().deploy_model(harness.config("v1"))
    seen = _workload(harness)
    harness.kill(server)
    with harness.impostor(seen):
        assert harness.deployer().engine.probe([seen], ENOUGH_S)[seen.ref].health is not Health.READY
        assert harness.deployer().find_model_server(running=True) == []
    harness.deployer().reconcile()
    assert harness.ask(server) == Reply(200, "v1", 1)


def test_26_of_many_who_create_one_revision_at_once_one_succeeds(harness: Harness) -> None:
    harness.deployer().deploy_model(harness.config("v1"))
    specs = [_next_revision(harness) for _ in range(AT_ONCE)]

    def create(spec: WorkloadSpec) -> str:
        try:
            return harness.deployer().engine.create(spec).record.token
        except WorkloadExists:
            return ""

    with ThreadPoolExecutor(AT_ONCE) as pool:
        (created,) = filter(None, pool.map(create, specs))
    assert [w.record.token for w in harness.deployer().engine.list() if w.revision == 2] == [created]
    harness.deployer().reconcile()


def test_28_the_age_of_a_workload_is_that_of_its_present_run(harness: Harness) -> None:
    server = harness.deployer().deploy_model(harness.config("v1"))
    while _workload(harness).age_s < ENOUGH_S:
        time.sleep(0.02)
    before_its_start = time.monotonic()
    harness.kill(server)
    harness.deployer().reconcile()
    assert _workload(harness).age_s < time.monotonic() - before_its_start


@pytest.mark.parametrize("operation", OPERATIONS)
def test_34_an_engine_does_nothing_to_another_workload_of_the_same_number(harness: Harness, operation: str) -> None:
    server = harness.deployer().deploy_model(harness.config("v1"))
    before = _workload(harness)
    OPERATIONS[operation](harness.deployer().engine, replace(before.ref, token="another"))
    assert _lasting(_workload(harness)) == _lasting(before)
    assert harness.ask(server) == Reply(200, "v1", 1)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_34_an_engine_does_nothing_to_a_workload_that_is_gone(harness: Harness, operation: str) -> None:
    server = harness.deployer().deploy_model(harness.config("v1"))
    ref = _workload(harness).ref
    harness.deployer().delete_model_server(server.uuid)
    OPERATIONS[operation](harness.deployer().engine, ref)
    assert harness.deployer().engine.list() == []


def test_34_a_gateway_changes_no_route_that_has_moved_since_it_was_seen(harness: Harness) -> None:
    server = harness.deployer().deploy_model(harness.config("v1"))
    gateway = harness.deployer().gateway
    (name, seen), *_ = gateway.routes().items()
    gateway.write(name, seen.split, seen.high, seen.tag)
    moved = gateway.routes()[name]
    gateway.acknowledge(name, moved.tag, ACKNOWLEDGED_WITHIN_S)
    for late in (
        lambda: gateway.write(name, (), seen.high, seen.tag),
        lambda: gateway.remove(name, seen.tag),
        lambda: gateway.acknowledge(name, seen.tag, 1),
    ):
        with pytest.raises(RouteMoved):
            late()
    assert harness.deployer().gateway.routes() == {name: moved}
    assert harness.ask(server) == Reply(200, "v1", 1)


def test_34_a_gateway_lets_no_closed_revision_in_and_its_high_never_falls(harness: Harness) -> None:
    server = harness.deployer().deploy_model(harness.config("v1"))
    gateway = harness.deployer().gateway
    (name, route), *_ = gateway.routes().items()
    gateway.write(name, route.split, 5, route.tag)
    gateway.write(name, route.split, 1, gateway.routes()[name].tag)
    with pytest.raises(RouteMoved):
        gateway.write(name, (replace(route.split[0], revision=3),), 5, gateway.routes()[name].tag)
    assert (gateway.routes()[name].split, gateway.routes()[name].high) == (route.split, 5)
    assert harness.ask(server) == Reply(200, "v1", 1)
    assert harness.deployer().deploy_model(harness.config("v2"), replace=True).revision == 6


@pytest.mark.parametrize("wanted", [Wanted.STOPPED, Wanted.REFUSED])
def test_35_an_engine_starts_only_what_is_marked_running(harness: Harness, wanted: Wanted) -> None:
    harness.deployer().deploy_model(harness.config("v1"))
    engine = harness.deployer().engine
    engine.create(spec := _next_revision(harness))
    ref = Ref(spec.record.server, spec.record.revision, spec.record.token)
    engine.mark(ref, wanted, "somebody says so")
    engine.start(ref)
    assert [w.phase for w in harness.deployer().engine.list() if w.ref == ref] == [Phase.CREATED]
    engine.delete(ref)


@pytest.mark.parametrize("wanted", [Wanted.RUNNING, Wanted.STOPPED])
def test_34_an_engine_leaves_what_is_refused_refused(harness: Harness, wanted: Wanted) -> None:
    """Who marks it looked before it was refused, and was frozen since."""
    harness.deployer().deploy_model(harness.config("v1"))
    engine = harness.deployer().engine
    engine.create(spec := _next_revision(harness))
    ref = Ref(spec.record.server, spec.record.revision, spec.record.token)
    engine.mark(ref, Wanted.REFUSED, "it ended before it was ready")
    engine.mark(ref, wanted, "by a deployer that was frozen for long")
    engine.start(ref)
    (refused,) = (w for w in harness.deployer().engine.list() if w.ref == ref)
    assert (refused.wanted, refused.cause) == (Wanted.REFUSED, "it ended before it was ready")
    assert refused.phase is Phase.CREATED
    engine.mark(ref, Wanted.REFUSED, "as somebody else has it")
    (refused,) = (w for w in harness.deployer().engine.list() if w.ref == ref)
    assert refused.cause == "as somebody else has it"
    engine.delete(ref)


def _workload(harness: Harness) -> Workload:
    (workload,) = harness.deployer().engine.list()
    return workload


def _next_revision(harness: Harness) -> WorkloadSpec:
    """What a deployer would create that has looked now; each with a token of its own."""
    present = _workload(harness).record
    new = {"revision": present.revision + 1, "token": uuid4().hex, "request_id": "another"}
    record = present.model_copy(update=new)
    return WorkloadSpec(record, runtime_of(record.config.runtime).launch(record.config, harness.deployer().place))


def _lasting(workload: Workload) -> tuple[object, ...]:
    return workload.ref, workload.wanted, workload.cause, workload.phase, workload.starts, workload.address
