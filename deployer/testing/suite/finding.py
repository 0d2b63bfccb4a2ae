"""Scenarios 6, 7, 21 and 22: what a find finds."""

import time
from concurrent.futures import ThreadPoolExecutor
from itertools import combinations
from uuid import uuid4

from deployer.config import Provenance
from deployer.engine_deployer import EngineModelDeployer
from deployer.server import ModelServer, State
from deployer.testing.harness import Harness

NOTICED_WITHIN_S = 10.0
MANY, AT_ONCE, FEW = 100, 4, 10
FOUND_RUNNING_WITHIN_S = 2.0
AT_ONCE_S = 10


def test_06_each_filter_finds_alone_and_combined_newest_first(harness: Harness) -> None:
    deployer = harness.deployer()
    servers = [_deployed(harness, deployer, number) for number in (1, 2, 3)]
    newest_first = list(reversed(servers))
    assert deployer.find_model_server() == newest_first
    for count in (1, 2, 7):
        for names in combinations(_filters(servers[0]), count):
            for server in servers:
                wanted = {name: _filters(server)[name] for name in names}
                matching = [s for s in newest_first if all(_filters(s)[n] == v for n, v in wanted.items())]
                assert deployer.find_model_server(**wanted) == matching, wanted  # type: ignore[arg-type]


def test_06_an_unknown_value_of_any_filter_finds_nothing(harness: Harness) -> None:
    deployer = harness.deployer()
    server = _deployed(harness, deployer, 1)
    for name in _filters(server):
        unknown = uuid4() if name == "service_uuid" else "nobody's"
        assert deployer.find_model_server(**{name: unknown}) == [], name  # type: ignore[arg-type]


def test_07_running_finds_only_what_passes_its_health_check_now(harness: Harness) -> None:
    deployer = harness.deployer()
    well, hung, stopped = (_deployed(harness, deployer, number) for number in (1, 2, 3))
    deployer.stop_model_server(stopped.uuid)
    harness.hang(hung)
    assert _found_hung(deployer, hung) is State.UNKNOWN
    assert [server.uuid for server in found_running_in_time(harness, [well])] == [well.uuid]
    _assert_nobody_acts_on_the_hung(harness)
    deployer.delete_model_server(hung.uuid, force=True)


def test_21_a_hundred_servers_are_all_listed(harness: Harness) -> None:
    configs = [harness.config("v1", name=f"churn-no{number}") for number in range(MANY)]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        deployed = list(pool.map(lambda config: harness.deployer().deploy_model(config, timeout=0), configs))
        assert harness.deployer().reconcile().failed == ()
        newest_first = sorted(deployed, key=lambda server: server.created_at, reverse=True)
        found = harness.deployer().find_model_server()
        assert [server.uuid for server in found] == [server.uuid for server in newest_first]
        assert len(found) == MANY
        list(pool.map(lambda server: harness.deployer().delete_model_server(server.uuid, force=True), found))
    assert harness.deployer().find_model_server() == []


def test_22_a_hung_server_of_ten_costs_no_more_than_the_deadline_and_only_itself(harness: Harness) -> None:
    deployer = harness.deployer()
    for number in range(FEW):
        deployer.deploy_model(harness.config("v1", name=f"churn-no{number}"), timeout=0)
    assert deployer.reconcile().failed == ()
    hung, *well = deployer.find_model_server()
    harness.hang(hung)
    assert _found_hung(deployer, hung) is State.UNKNOWN
    assert found_running_in_time(harness, well) == well
    _assert_nobody_acts_on_the_hung(harness)
    deployer.delete_model_server(hung.uuid, force=True)


def _deployed(harness: Harness, deployer: EngineModelDeployer, number: int) -> ModelServer:
    """The third shares its model's name with the first, its flow with the second."""
    provenance = Provenance(
        pipeline_name=f"flow-{min(number, 2)}", pipeline_run_id=f"run-{number}", pipeline_step_name="deploy"
    )
    config = harness.config(
        f"v{number}", model_name=f"model-{number % 2}", model_type=f"type-{number}", provenance=provenance
    )
    return deployer.deploy_model(config)


def _filters(server: ModelServer) -> dict[str, object]:
    """Every filter of `find_model_server`, by which that server is found."""
    return {
        "service_uuid": server.uuid,
        "pipeline_name": server.provenance.pipeline_name,
        "pipeline_run_id": server.provenance.pipeline_run_id,
        "pipeline_step_name": server.provenance.pipeline_step_name,
        "model_name": server.config.model_name,
        "model_uri": server.config.model_uri,
        "model_type": server.model_type,
    }


def found_running_in_time(harness: Harness, wanted: list[ModelServer]) -> list[ModelServer]:
    """What is found running within the time there is for it; on a busy machine more than one find may be needed."""
    until, found, took = time.monotonic() + NOTICED_WITHIN_S, list[ModelServer](), 0.0
    while time.monotonic() < until and (found != wanted or took > FOUND_RUNNING_WITHIN_S):
        began = time.monotonic()
        found = harness.deployer().find_model_server(running=True)
        took = time.monotonic() - began
    return found if took < FOUND_RUNNING_WITHIN_S else []


def _assert_nobody_acts_on_the_hung(harness: Harness) -> None:
    """It may be busy: what runs there still does, and is marked and routed as before."""
    before = _standing(harness)
    assert harness.deployer().reconcile(timeout=AT_ONCE_S).changed == ()
    assert _standing(harness) == before


def _standing(harness: Harness) -> object:
    deployer = harness.deployer()
    workloads = [(w.ref, w.wanted, w.phase, w.starts, w.address) for w in deployer.engine.list()]
    return workloads, deployer.gateway.routes()


def _found_hung(deployer: EngineModelDeployer, server: ModelServer) -> State:
    """What an ordinary find says of it, once it has noticed."""
    until = time.monotonic() + NOTICED_WITHIN_S
    while True:
        (found,) = deployer.find_model_server(service_uuid=server.uuid)
        if found.state is not State.READY or time.monotonic() > until:
            return found.state
