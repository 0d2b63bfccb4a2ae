"""What holds of containers beyond what every flavor shows."""

import threading
from dataclasses import replace

import pytest

from deployer.config import Resources
from deployer.engine import Phase, Ref, Wanted
from deployer.errors import DeployerError, EngineError, WorkloadExists
from deployer.flavors.docker import labels
from deployer.flavors.docker.network import NAME as NETWORK
from deployer.server import State
from deployer.testing.docker import DockerHarness
from deployer.testing.hammer import Reply
from tests.flavors.docker.conftest import inspected, next_revision, only, spec_like, until

pytestmark = [pytest.mark.xdist_group("docker"), pytest.mark.usefixtures("docker_engine")]


def test_of_many_who_create_one_revision_one_does(harness: DockerHarness) -> None:
    harness.deployer().deploy_model(harness.config("v1"))
    wishes = [next_revision(only(harness)) for _ in range(6)]
    won, lost = list[str](), list[DeployerError]()

    def create(number: int) -> None:
        try:
            won.append(harness.deployer().engine.create(wishes[number]).record.token)
        except DeployerError as error:
            lost.append(error)

    threads = [threading.Thread(target=create, args=(number,)) for number in range(len(wishes))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [type(error) for error in lost] == [WorkloadExists] * 5
    assert [w.record.token for w in harness.deployer().engine.list() if w.revision == 2] == won


@pytest.mark.parametrize("wanted", [Wanted.STOPPED, Wanted.REFUSED])
def test_a_number_stays_taken_once_its_container_is_marked_though_the_name_is_free(
    harness: DockerHarness, wanted: Wanted
) -> None:
    harness.deployer().deploy_model(harness.config("v1"))
    engine, wish = harness.deployer().engine, next_revision(only(harness))
    engine.mark(engine.create(wish).ref, wanted, "for a test")
    with pytest.raises(WorkloadExists):
        harness.deployer().engine.create(replace(wish, record=wish.record.model_copy(update={"token": "another"})))


def test_of_two_containers_with_one_number_only_the_older_counts_and_the_younger_is_cleared_up(
    harness: DockerHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever made the younger was killed before it could look."""
    harness.deployer().deploy_model(harness.config("v1"))
    older, api = only(harness), harness.connection.api
    told = inspected(harness, older)["Config"]["Labels"] | {
        labels.TOKEN: "younger",
        labels.RECORD: spec_like(older, token="younger").record.model_dump_json(),
    }
    api.create_container(harness.image, ["x"], name=f"{older.ref}-stopped", labels=told)
    assert only(harness).record.token == older.record.token
    monkeypatch.setattr("deployer.flavors.docker.sweep.BROKEN_OFF_S", 0)

    def is_cleared_up() -> bool:
        harness.deployer().engine.sweep()
        return len(api.containers(all=True)) == 1

    until(is_cleared_up)
    assert only(harness).phase is Phase.RUNNING


def test_a_container_has_as_little_of_the_machine_as_a_server_can_do_with(harness: DockerHarness) -> None:
    config = harness.config("v1", resources=Resources(cpu=0.5, memory="256Mi"))
    server = harness.deployer().deploy_model(config)
    told = inspected(harness, only(harness))
    host = told["HostConfig"]
    assert (told["Config"]["User"], host["ReadonlyRootfs"], host["Init"]) == ("1000:1000", True, True)
    assert (host["CapDrop"], host["SecurityOpt"], host["Privileged"]) == (["ALL"], ["no-new-privileges"], False)
    assert (host["NanoCpus"], host["Memory"], host["MemorySwap"]) == (500_000_000, 2**28, 2**28)
    assert host["PidsLimit"] == 4096 and host["LogConfig"]["Config"]["max-size"] == "10m"
    assert host["PortBindings"] in ({}, None) and list(told["NetworkSettings"]["Networks"]) == [NETWORK]
    assert [(mount["Type"], mount["RW"]) for mount in told["Mounts"]] == [("volume", False)]
    assert harness.ask(server).ok


def test_docker_ps_finds_and_shows_it(harness: DockerHarness) -> None:
    server = harness.deployer().deploy_model(harness.config("v1", name="Churn, the first"))
    api = harness.connection.api
    for label in (f"{labels.NAME}=Churn, the first", f"{labels.UUID}={server.uuid}", f"{labels.REVISION}=1"):
        (found,) = api.containers(filters={"label": label})
        assert "health" in found["Status"]


def test_how_it_ended_is_told_with_its_memory_s_limit(harness: DockerHarness) -> None:
    config = harness.config("v1", resources=Resources(memory="64Mi"))
    server = harness.deployer().deploy_model(config)
    eat = "x = bytearray(2**30)"
    api, name = harness.connection.api, str(only(harness).ref)
    api.exec_start(api.exec_create(name, ["python3", "-c", eat])["Id"])
    harness.kill(server)
    ending = only(harness).ending
    assert ending and ending.exit_code == -9
    (found,) = harness.deployer().find_model_server()
    assert (found.state is State.FAILED and "SIGKILL" in found.message) or "memory" in found.message


def test_what_serves_is_brought_back_by_its_engine_and_what_does_not_serve_yet_is_not(harness: DockerHarness) -> None:
    server = harness.deployer().deploy_model(harness.config("v1"))
    workload = only(harness)
    assert inspected(harness, workload)["HostConfig"]["RestartPolicy"]["Name"] == "unless-stopped"
    crash(harness, workload.ref)
    until(lambda: harness.ask(server).ok)
    assert harness.deployer().find_model_server() == [server]
    engine, wish = harness.deployer().engine, next_revision(workload)
    ref = engine.create(wish).ref
    engine.start(ref)
    assert inspected(harness, replace(workload, record=wish.record))["HostConfig"]["RestartPolicy"]["Name"] == "no"
    crash(harness, ref)
    until(lambda: {w.phase for w in harness.deployer().engine.list() if w.ref == ref} == {Phase.ENDED})


def test_what_its_engine_restarts_again_and_again_is_failed_and_a_stop_ends_it(harness: DockerHarness) -> None:
    server = harness.deployer().deploy_model(harness.config("v1"))
    workload, api = only(harness), harness.connection.api

    def is_restarting() -> bool:
        crash(harness, workload.ref)
        return harness.container(server).state == "restarting"

    until(is_restarting)
    (found,) = harness.deployer().find_model_server()
    assert found.state is State.FAILED and "is about to start it again" in found.message
    harness.deployer().stop_model_server(server.uuid)
    told = api.inspect_container(f"{workload.ref}-stopped")
    assert (told["State"]["Running"], told["State"]["Restarting"]) == (False, False)
    assert told["HostConfig"]["RestartPolicy"]["Name"] == "no"
    harness.deployer().start_model_server(server.uuid)
    assert harness.ask(server) == Reply(200, "v1", 1)


def test_a_paused_one_is_unknown_left_alone_and_can_be_stopped(harness: DockerHarness) -> None:
    server = harness.deployer().deploy_model(harness.config("v1"))
    harness.connection.api.pause(str(only(harness).ref))
    (found,) = harness.deployer().find_model_server()
    assert found.state is State.UNKNOWN
    assert harness.deployer().reconcile().changed == ()
    harness.deployer().stop_model_server(server.uuid)
    (found,) = harness.deployer().find_model_server()
    assert found.state is State.STOPPED


def test_a_stranger_with_its_address_is_not_taken_for_it_and_it_gets_another(harness: DockerHarness) -> None:
    server = harness.deployer().deploy_model(harness.config("v1"))
    workload, api = only(harness), harness.connection.api
    harness.kill(server)
    address = workload.address.removeprefix("http://").partition(":")[0]
    ends = {NETWORK: api.create_endpoint_config(ipv4_address=address)}
    command = ["python3", "-m", "http.server", "8080"]
    stranger = api.create_container(
        harness.image,
        command,
        networking_config=api.create_networking_config(ends),  # type: ignore[arg-type]
    )
    try:
        api.start(stranger["Id"])
        assert harness.deployer().engine.probe([workload], 2)[workload.ref].health == "unreached"
        harness.deployer().reconcile()
        assert only(harness).address != workload.address
        assert harness.ask(server) == Reply(200, "v1", 1)
        assert api.inspect_container(stranger["Id"])["State"]["Running"]
    finally:
        api.remove_container(stranger["Id"], force=True)


def test_what_is_stopped_starts_on_a_new_network_where_ours_was_removed(harness: DockerHarness) -> None:
    server = harness.deployer().deploy_model(harness.config("v1"))
    harness.deployer().stop_model_server(server.uuid)
    api = harness.connection.api
    api.remove_network(NETWORK)
    harness.deployer().start_model_server(server.uuid)
    assert harness.ask(server) == Reply(200, "v1", 1)


def test_a_secret_is_in_the_container_s_environment_and_in_nothing_else_of_it(
    harness: DockerHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("A_SECRET", "hush-hush")
    harness.deployer().deploy_model(harness.config("v1", secrets={"API_KEY": "env:A_SECRET"}))
    told = inspected(harness, only(harness))
    assert "API_KEY=hush-hush" in told["Config"].pop("Env")
    assert "hush-hush" not in str(told)


def test_a_container_of_another_that_has_the_name_of_a_mark_is_named_and_left(harness: DockerHarness) -> None:
    server = harness.deployer().deploy_model(harness.config("v1"))
    api, name = harness.connection.api, f"{only(harness).ref}-stopped"
    theirs = api.create_container(harness.image, ["x"], name=name)["Id"]
    try:
        with pytest.raises(EngineError, match=name):
            harness.deployer().stop_model_server(server.uuid)
        assert api.inspect_container(name)["Id"] == theirs
    finally:
        api.remove_container(theirs)
    harness.deployer().stop_model_server(server.uuid)


def crash(harness: DockerHarness, ref: Ref) -> None:
    """As if it killed itself: the engine's own kill would count as a stop."""
    import os
    import signal
    from contextlib import suppress

    pid = harness.connection.api.inspect_container(str(ref))["State"]["Pid"]
    if pid:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
