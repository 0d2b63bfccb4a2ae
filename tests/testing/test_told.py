"""The judge of what callers are told: a lie of each kind is one, and the truth is none."""

from typing import Any

import pytest

from deployer.engine import Wanted
from deployer.errors import (
    DeployerError,
    EngineError,
    EngineUnavailable,
    RevisionRefused,
    RouteMoved,
    ServerStopped,
    Superseded,
)
from deployer.registry import model_server
from deployer.rollout.remember import as_it_served
from deployer.testing.faults import Call, Death, Effects, Failure, Freeze, Killed, Lateness, named
from deployer.testing.guard import Traffic
from deployer.testing.meanwhile import MEANWHILE
from deployer.testing.operations import OPERATIONS, Operation
from deployer.testing.told import Account, Told
from tests.support.worlds import record

OTHERS = {"": "other"}
"""How things stand where another replaced."""
ERRORS: list[DeployerError] = [RouteMoved("somebody else moved"), EngineError("no"), ServerStopped("stopped")]


def operation(name: str) -> Operation:
    return next(operation for operation in OPERATIONS if operation.name == name)


REPLACE, DELETE = operation("replace"), operation("delete")


def returned(revision: int) -> Told:
    return Told(model_server(as_it_served(record(revision)), "http://there"))


def raised(error: BaseException) -> Told:
    return Told(raised=error)


def created(*revisions: int) -> Effects:
    specs = [type("Spec", (), {"record": record(revision)}) for revision in revisions]
    return Effects([Call(number, "engine", "create", (spec,)) for number, spec in enumerate(specs)])


def served(*revisions: int) -> Traffic:
    traffic = Traffic()
    traffic.note("s", revisions)
    return traffic


def befallen(fault: Any) -> Any:
    fault.befell = Call(0, "engine", "create", ())
    return fault


def frozen(told: Told, ends: dict[str, str], other: str = "replaces", **seen: Any) -> list[str]:
    """What is wrong of a replace that stood still while another one acted."""
    fault = befallen(Freeze(named("engine.create")))
    return Account(operation=REPLACE, fault=fault, told=told, ends=ends, meanwhile=MEANWHILE[other], **seen).wrong()


def failed(told: Told, ends: dict[str, str]) -> list[str]:
    """What is wrong of a replace of which a call failed."""
    fault = befallen(Failure(named("engine.create"), EngineUnavailable("a blip")))
    return Account(operation=REPLACE, fault=fault, told=told, ends=ends).wrong()


def killed(operation: Operation, ends: dict[str, str], *effects: Call) -> list[str]:
    fault, told = befallen(Death(named("engine.create"))), raised(Killed())
    return Account(operation=operation, fault=fault, told=told, ends=ends, effects=Effects(list(effects))).wrong()


def test_who_was_killed_before_its_create_leaves_what_stood_and_after_it_what_it_wanted() -> None:
    assert killed(REPLACE, {"": "v1"}) == killed(REPLACE, {"": "v2"}, *created(2).calls) == []
    assert killed(REPLACE, {"": "v2"}) and killed(REPLACE, {"": "v1"}, *created(2).calls)


@pytest.mark.parametrize(("turns", "ends"), [(0, {"": "v1"}), (1, {"": "stopped"}), (2, {})])
def test_who_was_killed_in_a_delete_leaves_what_its_last_turn_says(turns: int, ends: dict[str, str]) -> None:
    effects = [Call(1, "engine", "mark", (None, Wanted.STOPPED, "")), Call(2, "engine", "delete", ())][:turns]
    assert [end for end in DELETE.ends if not killed(DELETE, dict(end), *effects)] == [ends]


def test_nobody_is_dead_whom_nobody_killed() -> None:
    assert failed(raised(Killed()), {"": "v1"})


def test_who_was_overtaken_may_be_told_so_and_who_served_that_it_did() -> None:
    assert frozen(raised(Superseded("overtaken")), OTHERS, effects=created(2), seen=served(3)) == []
    assert frozen(returned(2), OTHERS, effects=created(2), seen=served(2, 3)) == []


@pytest.mark.parametrize("error", ERRORS, ids=repr)
def test_who_was_overtaken_is_told_nothing_else(error: DeployerError) -> None:
    assert frozen(raised(error), OTHERS)


def test_success_is_a_lie_where_it_was_overtaken_and_never_served() -> None:
    assert frozen(returned(2), OTHERS, effects=created(2), seen=served(1, 3))


def test_overtaken_is_a_lie_where_it_had_served_or_serves() -> None:
    assert frozen(raised(Superseded("overtaken")), OTHERS, effects=created(2), seen=served(2, 3))
    assert frozen(raised(Superseded("overtaken")), {"": "v2"})


def test_whom_another_only_helps_comes_to_its_end() -> None:
    assert frozen(returned(2), {"": "v2"}, "reconciles", seen=served(2)) == []
    assert frozen(raised(Superseded("overtaken")), {"": "v2"}, "reconciles")
    assert frozen(returned(2), {"": "v1"}, "reconciles", seen=served(2))


def test_what_another_left_is_not_lost_with_what_was_wanted() -> None:
    assert frozen(returned(2), {"": "v1"}, seen=served(2))


def test_who_fails_may_be_told_of_it_or_of_the_end_of_its_rollout() -> None:
    assert failed(raised(EngineUnavailable("a blip")), {"": "v1"}) == []
    assert failed(raised(EngineError("2 servers: a blip")), {"": "v2"}) == []
    assert failed(raised(RevisionRefused("it was closed")), {"": "v1"}) == []
    assert failed(returned(2), {"": "v2"}) == []


def test_who_fails_is_told_no_lie() -> None:
    assert failed(raised(RouteMoved("a blip")), {"": "v1"}), "a conflict is nobody's business"
    assert failed(raised(EngineError("something else")), {"": "v1"})
    assert failed(raised(ValueError("a blip")), {"": "v1"})
    assert failed(raised(RevisionRefused("it was closed")), {"": "v2"}), "it serves"
    assert failed(returned(2), {"": "v1"}), "it does not serve"


def test_who_is_only_late_comes_to_its_end() -> None:
    late = befallen(Lateness(named("engine.create"), 1))
    for told, ends, right in ((returned(2), "v2", True), (returned(2), "v1", False), (raised(ERRORS[1]), "v2", False)):
        wrong = Account(operation=REPLACE, fault=late, told=told, ends={"": ends}).wrong()
        assert (wrong == []) is right
