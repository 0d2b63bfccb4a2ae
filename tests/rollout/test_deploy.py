"""What a deploy makes of what others do meanwhile, and of what fails."""

from collections.abc import Callable
from pathlib import Path

import pytest

from deployer import provenance
from deployer.config import Provenance
from deployer.engine import Ref
from deployer.errors import (
    DeployerError,
    EngineError,
    EngineUnavailable,
    GatewayDown,
    NothingToRollBackTo,
    PrefectUnavailable,
    RevisionRefused,
    ServerStopped,
    Superseded,
    WorkloadExists,
)
from deployer.flavors.memory.deployer import MemoryModelDeployer
from deployer.server import ModelServer, State
from deployer.testing.faults import Death, Killed, befall, nth
from deployer.testing.hammer import Reply
from deployer.testing.invariants import violations
from deployer.testing.memory import MemoryHarness
from deployer.testing.models import write_model
from tests.support import meddling


@pytest.fixture
def harness(tmp_path: Path) -> MemoryHarness:
    return MemoryHarness(tmp_path)


@pytest.fixture
def in_a_flow(monkeypatch: pytest.MonkeyPatch) -> None:
    """One flow run and task, so that what is asked for twice is a retry."""
    run = Provenance(pipeline_name="train", pipeline_run_id="run-1", pipeline_step_name="deploy")
    monkeypatch.setattr(provenance, "current", lambda: run)


def only_server(harness: MemoryHarness) -> ModelServer:
    (server,) = harness.deployer().find_model_server()
    return server


def running(harness: MemoryHarness) -> list[int]:
    """The revisions that run, of all servers."""
    return [w.revision for w in harness.deployer().engine.list() if w.phase == "running"]


def of_revision(number: int) -> Callable[[Ref], bool]:
    return lambda ref: ref.revision == number


# ---- stops meanwhile


def test_a_stop_that_comes_between_its_look_and_its_creation_closes_it(harness: MemoryHarness) -> None:
    deployer, other = harness.deployer(), harness.deployer()
    server = deployer.deploy_model(harness.config("v1"), replace=True)
    meddling.before(deployer.engine, "create", lambda: other.stop_model_server(server.uuid))
    with pytest.raises(ServerStopped):
        deployer.deploy_model(harness.config("v2"), replace=True)
    assert (only_server(harness).state, running(harness)) == (State.STOPPED, [])


def test_a_stop_of_a_rollout_under_way_closes_the_next_deploy_that_had_looked_before(harness: MemoryHarness) -> None:
    deployer, other = harness.deployer(), harness.deployer()
    server = deployer.deploy_model(harness.config("v1"), replace=True)
    other.deploy_model(harness.config("v2", delay_s=30), replace=True, timeout=0)
    meddling.before(deployer.engine, "create", lambda: other.stop_model_server(server.uuid))
    with pytest.raises(ServerStopped):
        deployer.deploy_model(harness.config("v3"), replace=True)
    assert (only_server(harness).state, running(harness)) == (State.STOPPED, [])


def test_a_stop_closes_what_is_created_between_its_look_and_its_mark(harness: MemoryHarness) -> None:
    stopper, other = harness.deployer(), harness.deployer()
    server = other.deploy_model(harness.config("v1"), replace=True)
    v2 = harness.config("v2", delay_s=30)
    meddling.before(stopper.engine, "mark", lambda: other.deploy_model(v2, replace=True, timeout=0))
    stopper.stop_model_server(server.uuid, timeout=5)
    assert (only_server(harness).state, running(harness)) == (State.STOPPED, [])


def test_who_is_told_of_a_stop_is_told_what_serves_afterwards(harness: MemoryHarness) -> None:
    """Its deployer takes part in the stop, whose own deployer had only come to mark."""
    deployer, other = harness.deployer(), harness.deployer()
    server = deployer.deploy_model(harness.config("v1"), replace=True)

    def begin_to_stop() -> None:
        meddling.before(other.engine, "list", _interrupt, calls=4)
        with pytest.raises(KeyboardInterrupt):
            other.stop_model_server(server.uuid)

    meddling.after(deployer.engine, "start", begin_to_stop)
    with pytest.raises(ServerStopped) as raised:
        deployer.deploy_model(harness.config("v2", delay_s=30), replace=True)
    assert raised.value.serving == "Nothing serves behind its URL now."
    assert harness.ask(server).status == 503


# ---- others meanwhile


def test_it_returns_when_the_old_one_is_gone_though_a_later_one_is_on_its_way(harness: MemoryHarness) -> None:
    deployer, other = harness.deployer(), harness.deployer()
    deployer.deploy_model(harness.config("v1"), replace=True)
    v3 = harness.config("v3", delay_s=30)
    meddling.after(deployer.gateway, "write", lambda: other.deploy_model(v3, replace=True, timeout=0))
    server = deployer.deploy_model(harness.config("v2"), replace=True, timeout=5)
    assert (server.revision, server.state) == (2, State.READY)
    assert running(harness) == [2, 3]


def test_it_is_told_that_it_served_though_it_was_replaced_before_it_looked_again(harness: MemoryHarness) -> None:
    deployer, other = harness.deployer(), harness.deployer()
    deployer.deploy_model(harness.config("v1"), replace=True)
    meddling.after(deployer.gateway, "write", lambda: other.deploy_model(harness.config("v3"), replace=True))
    server = deployer.deploy_model(harness.config("v2"), replace=True, timeout=5)
    assert (server.revision, only_server(harness).revision) == (2, 3)


def test_who_joins_waits_for_the_proxy_too(harness: MemoryHarness) -> None:
    """The deployer that wrote the route may still be waiting for its acknowledgement."""
    harness.deployer().deploy_model(harness.config("v1"), replace=True)
    joiner = harness.deployer()
    meddling.instead(joiner.gateway, "acknowledge", GatewayDown("the proxy has not taken it up"))
    with pytest.raises(GatewayDown):
        joiner.deploy_model(harness.config("v1"), replace=True)


def test_deleted_while_it_begins_it_is_told_so(harness: MemoryHarness) -> None:
    deployer, other = harness.deployer(), harness.deployer()

    def delete() -> None:
        other.delete_model_server(only_server(harness).uuid)

    meddling.after(deployer.engine, "start", delete)
    with pytest.raises(Superseded, match="deleted"):
        deployer.deploy_model(harness.config("v1"), timeout=0)


def test_deleted_right_before_its_first_route_it_is_told_so_and_leaves_no_route(harness: MemoryHarness) -> None:
    deployer, other = harness.deployer(), harness.deployer()
    meddling.before(deployer.gateway, "write", lambda: other.delete_model_server(only_server(harness).uuid, force=True))
    with pytest.raises(Superseded, match="deleted"):
        deployer.deploy_model(harness.config("v1"))
    assert other.gateway.routes() == {}


@pytest.mark.parametrize(("mine", "others"), [("ok", "hang"), ("exit", "ok")])
def test_deleted_and_made_anew_right_before_its_first_route_it_neither_routes_nor_burns_what_is_not_its_own(
    harness: MemoryHarness, mine: str, others: str
) -> None:
    deployer, other = harness.deployer(), harness.deployer()

    def make_it_anew() -> None:
        other.delete_model_server(only_server(harness).uuid)
        other.deploy_model(harness.config("o1", others), timeout=0)

    meddling.before(deployer.gateway, "write", make_it_anew)
    with pytest.raises(Superseded, match="deleted"):
        deployer.deploy_model(harness.config("v1", mine))
    assert other.gateway.routes() == {}
    (made,) = other.engine.list()
    assert made.wanted == "running"


def test_a_name_whose_workload_nobody_can_read_is_an_error(harness: MemoryHarness) -> None:
    deployer = harness.deployer()
    meddling.instead(deployer.engine, "create", WorkloadExists("churn-r1 exists already"))
    with pytest.raises(EngineError, match="churn-r1"):
        deployer.deploy_model(harness.config("v1"))


def test_what_was_overtaken_before_it_ran_is_nothing_to_roll_back_to(harness: MemoryHarness) -> None:
    for answer, last_call in (("v1", "engine.create"), ("v2", "gateway.write")):
        deployer = befall(harness.deployer(), Death(nth(last_call), after=True))
        with pytest.raises(Killed):
            deployer.deploy_model(harness.config(answer), replace=True)
    with pytest.raises(NothingToRollBackTo):
        harness.deployer().rollback(only_server(harness).uuid)


def test_what_was_closed_and_not_marked_is_nothing_to_roll_back_to(harness: MemoryHarness) -> None:
    """Its deployer died in between; and so did the next, who remembers it as it was then."""
    server = harness.deployer().deploy_model(harness.config("v1"), replace=True)
    for answer, mode, last_call in (("v2", "exit", "gateway.write"), ("v3", "ok", "engine.create")):
        deployer = befall(harness.deployer(), Death(nth(last_call), after=True))
        with pytest.raises(Killed):
            deployer.deploy_model(harness.config(answer, mode), replace=True)
    harness.deployer().reconcile()
    assert harness.ask(server) == Reply(200, "v3", 3)
    assert harness.deployer().rollback(server.uuid).revision == 4
    assert harness.ask(server) == Reply(200, "v1", 4)


# ---- what serves by another's hand


def test_routed_by_a_reconcile_and_replaced_before_it_looked_again_it_is_told_that_it_served(
    harness: MemoryHarness,
) -> None:
    deployer, other = harness.deployer(), harness.deployer()
    first = deployer.deploy_model(harness.config("v1"), replace=True)
    meddling.after(deployer.engine, "create", lambda: _reconciled_and_replaced(harness, other))
    server = deployer.deploy_model(harness.config("v2"), replace=True, timeout=5)
    assert (server.uuid, server.revision, server.state) == (first.uuid, 2, State.READY)
    assert (only_server(harness).revision, running(harness)) == (3, [3])


def test_its_own_first_route_replaced_before_it_looked_again_it_is_told_that_it_served(harness: MemoryHarness) -> None:
    deployer, other = harness.deployer(), harness.deployer()
    v2 = harness.config("v2")
    meddling.after(deployer.gateway, "write", lambda: other.deploy_model(v2, replace=True))
    server = deployer.deploy_model(harness.config("v1"), replace=True, timeout=5)
    assert (server.revision, server.state, only_server(harness).revision) == (1, State.READY, 2)


def test_stopped_before_it_served_and_replaced_it_is_told_that_it_was_overtaken(harness: MemoryHarness) -> None:
    deployer, other = harness.deployer(), harness.deployer()
    meddling.after(deployer.engine, "start", lambda: _stopped_and_replaced(harness, other))
    with pytest.raises(Superseded):
        deployer.deploy_model(harness.config("v1", delay_s=30), replace=True, timeout=5)


def _reconciled_and_replaced(harness: MemoryHarness, other: MemoryModelDeployer) -> None:
    assert other.reconcile().failed == ()
    other.deploy_model(harness.config("v3"), replace=True)


def _stopped_and_replaced(harness: MemoryHarness, other: MemoryModelDeployer) -> None:
    other.stop_model_server(only_server(harness).uuid)
    other.deploy_model(harness.config("v2"), replace=True)


# ---- what stands behind the name


def test_a_delete_that_broke_off_before_its_route_went_hinders_no_new_server(harness: MemoryHarness) -> None:
    gone = deleted_but_for_its_route(harness)
    server = harness.deployer().deploy_model(harness.config("v2"))
    assert server.uuid != gone.uuid and server.revision == 2
    assert harness.ask(server) == Reply(200, "v2", 2)


def test_what_is_refused_after_a_delete_that_broke_off_leaves_no_route_to_what_is_gone(harness: MemoryHarness) -> None:
    deleted_but_for_its_route(harness)
    with pytest.raises(RevisionRefused):
        harness.deployer().deploy_model(harness.config("v2", "exit"))
    assert violations(harness.deployer()) == []
    server = harness.deployer().deploy_model(harness.config("v3"), replace=True)
    assert harness.ask(server) == Reply(200, "v3", 3)


def deleted_but_for_its_route(harness: MemoryHarness) -> ModelServer:
    deployer = harness.deployer()
    gone = deployer.deploy_model(harness.config("v1"), replace=True)
    meddling.before(deployer.gateway, "remove", _interrupt)
    with pytest.raises(KeyboardInterrupt):
        deployer.delete_model_server(gone.uuid)
    return gone


def _interrupt() -> None:
    raise KeyboardInterrupt


def test_whoever_was_about_to_make_a_server_whose_name_was_taken_meanwhile_begins_anew(harness: MemoryHarness) -> None:
    """Its revision 1 is to be had again, as the other server is at revision 2 by now."""
    deployer, other = harness.deployer(), harness.deployer()

    def take_the_name() -> None:
        for answer in ("o1", "o2"):
            other.deploy_model(harness.config(answer), replace=True)

    meddling.before(deployer.engine, "create", take_the_name)
    server = deployer.deploy_model(harness.config("v1"))
    assert (server.name, harness.ask(server)) == ("churn-2", Reply(200, "v1", 1))
    (taken,) = (s for s in other.find_model_server() if s.name == "churn")
    assert harness.ask(taken) == Reply(200, "o2", 2)
    assert violations(other) == []


@pytest.mark.parametrize("moment", [meddling.before, meddling.after])
def test_a_server_made_anew_keeps_its_uuid_when_a_deploy_to_the_deleted_one_goes_on(
    harness: MemoryHarness, moment: Callable[..., None]
) -> None:
    deployer, other = harness.deployer(), harness.deployer()
    gone = deployer.deploy_model(harness.config("v1"), replace=True)
    made: list[ModelServer] = []

    def make_it_anew() -> None:
        other.delete_model_server(gone.uuid)
        made.append(other.deploy_model(harness.config("o1")))

    moment(deployer.engine, "create", make_it_anew)
    server = deployer.deploy_model(harness.config("v2"), replace=True)
    assert [server.uuid] == [s.uuid for s in made]
    assert harness.ask(server).answer == "v2"
    assert violations(other) == []


@pytest.mark.parametrize("also_before_its_removal", [False, True])
def test_what_it_made_of_a_deleted_server_goes_though_a_reconcile_has_started_it(
    harness: MemoryHarness, also_before_its_removal: bool
) -> None:
    deployer, other = harness.deployer(), harness.deployer()
    gone = deployer.deploy_model(harness.config("v1"), replace=True)
    if also_before_its_removal:
        meddling.before(deployer.engine, "delete", start_it(other))
    meddling.after(deployer.engine, "create", start_it(other))
    meddling.before(deployer.engine, "create", lambda: other.delete_model_server(gone.uuid))
    server = deployer.deploy_model(harness.config("v2"), replace=True)
    assert server.uuid != gone.uuid and only_server(harness) == server
    assert harness.ask(server) == Reply(200, "v2", 1)
    assert violations(other) == []


def start_it(deployer: MemoryModelDeployer) -> Callable[[], object]:
    """As a reconcile would that has no time to wait until it is ready."""

    def start() -> None:
        for workload in deployer.engine.list():
            deployer.engine.start(workload.ref)

    return start


def test_a_stop_that_closed_it_right_after_its_creation_says_that_nothing_serves(harness: MemoryHarness) -> None:
    deployer, other = harness.deployer(), harness.deployer()
    server = deployer.deploy_model(harness.config("v1"), replace=True)
    meddling.before(other.engine, "list", _interrupt, calls=4)

    def begin_to_stop() -> None:
        with pytest.raises(KeyboardInterrupt):
            other.stop_model_server(server.uuid)

    meddling.before(deployer.engine, "create", begin_to_stop)
    with pytest.raises(ServerStopped) as raised:
        deployer.deploy_model(harness.config("v2"), replace=True)
    assert raised.value.serving == "Nothing serves behind its URL now."
    assert harness.ask(server).status == 503


# ---- failures


def test_what_cannot_be_started_is_closed_and_the_error_says_why(harness: MemoryHarness) -> None:
    deployer = harness.deployer()
    deployer.deploy_model(harness.config("v1"), replace=True)
    meddling.instead(deployer.engine, "start", EngineError("no secret"), only=of_revision(2))
    with pytest.raises(EngineError, match="no secret"):
        deployer.deploy_model(harness.config("v2"), replace=True)
    assert harness.deployer().reconcile().changed == ()
    server = only_server(harness)
    assert (server.revision, server.state) == (1, State.READY) and "no secret" in server.message


def test_what_may_go_better_next_time_stays_for_reconcile(harness: MemoryHarness) -> None:
    deployer = harness.deployer()
    deployer.deploy_model(harness.config("v1"), replace=True)
    meddling.instead(deployer.engine, "start", EngineUnavailable("busy"), only=of_revision(2))
    with pytest.raises(EngineUnavailable):
        deployer.deploy_model(harness.config("v2"), replace=True)
    harness.deployer().reconcile()
    assert only_server(harness).revision == 2


@pytest.mark.parametrize("error", [EngineError("no secret"), PrefectUnavailable("the secret's server is silent")])
def test_an_old_revision_that_cannot_be_brought_back_hinders_no_new_one(
    harness: MemoryHarness, error: DeployerError
) -> None:
    deployer = harness.deployer()
    harness.kill(deployer.deploy_model(harness.config("v1"), replace=True))
    meddling.instead(deployer.engine, "start", error, only=of_revision(1))
    server = deployer.deploy_model(harness.config("v2"), replace=True)
    assert harness.ask(server) == Reply(200, "v2", 2)
    assert running(harness) == [2]


def test_the_same_again_over_a_dead_server_that_does_not_come_back_is_an_error(harness: MemoryHarness) -> None:
    deployer = harness.deployer()
    config = harness.config("v1")
    server = deployer.deploy_model(config, replace=True)
    harness.kill(server)
    write_model(deployer.store.path(server.digest), "v1", "exit")
    with pytest.raises(RevisionRefused, match="does not serve"):
        deployer.deploy_model(config, replace=True)


def test_the_same_again_over_a_dead_server_that_is_slow_keeps_to_its_timeout(harness: MemoryHarness) -> None:
    deployer = harness.deployer()
    config = harness.config("v1")
    server = deployer.deploy_model(config, replace=True)
    harness.kill(server)
    write_model(deployer.store.path(server.digest), "v1", delay_s=15)
    with pytest.raises(RevisionRefused, match="within 1 s"):
        deployer.deploy_model(config, replace=True, timeout=1)


# ---- interruptions


@pytest.mark.parametrize("timeout", [0, 5])
def test_interrupted_before_its_route_it_never_goes_live(harness: MemoryHarness, timeout: int) -> None:
    deployer = harness.deployer()
    deployer.deploy_model(harness.config("v1"), replace=True)
    meddling.after(deployer.engine, "start", _interrupt)
    with pytest.raises(KeyboardInterrupt):
        deployer.deploy_model(harness.config("v2"), replace=True, timeout=timeout)
    assert harness.deployer().reconcile().changed == ()
    assert running(harness) == [1]


def test_an_interruption_is_not_lost_where_clearing_up_fails(harness: MemoryHarness) -> None:
    deployer = harness.deployer()
    deployer.deploy_model(harness.config("v1"), replace=True)

    def interrupt() -> None:
        meddling.instead(deployer.engine, "list", EngineError("gone"))
        raise KeyboardInterrupt

    meddling.after(deployer.engine, "start", interrupt)
    with pytest.raises(KeyboardInterrupt):
        deployer.deploy_model(harness.config("v2"), replace=True)


# ---- retries


@pytest.mark.usefixtures("in_a_flow")
def test_asked_for_again_after_a_stop_it_starts(harness: MemoryHarness) -> None:
    deployer, config = harness.deployer(), harness.config("v1")
    server = deployer.deploy_model(config, replace=True)
    deployer.stop_model_server(server.uuid)
    assert deployer.deploy_model(config, replace=True) == server
    assert harness.ask(server).ok


@pytest.mark.usefixtures("in_a_flow")
@pytest.mark.parametrize("replace", [True, False])
def test_a_retry_whose_model_was_trained_anew_serves_the_newest_model(harness: MemoryHarness, replace: bool) -> None:
    deployer, config = harness.deployer(), harness.config("v1")
    server = deployer.deploy_model(config, replace=replace)
    write_model(Path(config.model_uri), "better")
    again = deployer.deploy_model(config, replace=replace)
    assert (again.uuid, again.revision) == (server.uuid, 2)
    assert harness.ask(server) == Reply(200, "better", 2)
    assert deployer.deploy_model(config, replace=replace) == again, "a third try finds the second's revision"


@pytest.mark.usefixtures("in_a_flow")
@pytest.mark.parametrize("replace", [True, False])
def test_a_retry_of_what_was_refused_makes_the_next_revision_of_the_same_server(
    harness: MemoryHarness, replace: bool
) -> None:
    deployer, config = harness.deployer(), harness.config("v1", "exit")
    with pytest.raises(RevisionRefused):
        deployer.deploy_model(config, replace=replace)
    write_model(Path(config.model_uri), "better")
    assert deployer.deploy_model(config, replace=replace).revision == 2
    assert only_server(harness).name == "churn"


@pytest.mark.usefixtures("in_a_flow")
def test_a_retry_whose_model_was_trained_anew_replaces_all_equivalents_too(harness: MemoryHarness) -> None:
    deployer, config = harness.deployer(), harness.config("v3")
    for answer in ("v1", "v2"):
        deployer.deploy_model(harness.config(answer))
    with pytest.raises(Killed):
        befall(harness.deployer(), Death(nth("engine.start"))).deploy_model(config, replace=True)
    write_model(Path(config.model_uri), "better")
    server = deployer.deploy_model(config, replace=True)
    assert only_server(harness).uuid == server.uuid and harness.ask(server).answer == "better"


@pytest.mark.usefixtures("in_a_flow")
def test_a_rollback_that_is_retried_goes_back_once(harness: MemoryHarness) -> None:
    deployer = harness.deployer()
    server = deployer.deploy_model(harness.config("v1"), replace=True)
    deployer.deploy_model(harness.config("v2"), replace=True)
    back = deployer.rollback(server.uuid)
    assert deployer.rollback(server.uuid) == back


def test_two_requests_for_the_same_create_one_revision(harness: MemoryHarness) -> None:
    """The first finds the number taken by the second, looks again, and joins it."""
    deployer, other = harness.deployer(), harness.deployer()
    config = harness.config("v1")
    meddling.before(deployer.engine, "create", lambda: other.deploy_model(config, replace=True))
    assert deployer.deploy_model(config, replace=True).revision == 1
