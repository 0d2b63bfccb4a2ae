from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest

from deployer.config import ModelServerConfig, Provenance
from deployer.engine import Launch
from deployer.errors import ServerAlreadyExists, ServerNotFound
from deployer.records.record import SupersededServer
from deployer.rollout.identify import identify, of_uuid, same
from deployer.rollout.view import Condition, ServerView
from deployer.rollout.wish import Wish
from tests.support.worlds import LONG_AGO, observed, record, routed_to

FLOW = Provenance(pipeline_name="train", pipeline_run_id="run-1", pipeline_step_name="deploy")
OTHER_RUN = Provenance(pipeline_name="train", pipeline_run_id="run-2", pipeline_step_name="deploy")
OTHER_TASK = Provenance(pipeline_name="train", pipeline_run_id="run-1", pipeline_step_name="publish")


def config(name: str = "", model_name: str = "churn", provenance: Provenance | None = None) -> ModelServerConfig:
    return ModelServerConfig(model_uri="model", name=name, model_name=model_name, provenance=provenance)


def server(number: int, made_of: ModelServerConfig, name: str = "", days: int = 0) -> ServerView:
    """A server at revision 1, made so many days after long ago."""
    changes = {
        "uuid": UUID(int=number),
        "name": name or made_of.name or made_of.model_name,
        "config": made_of,
        "server_created_at": LONG_AGO + timedelta(days=days),
    }
    only = observed(1, Condition.READY)
    only = replace(only, workload=replace(only.workload, record=record(1).model_copy(update=changes)))
    return ServerView(f"server-{number}", routed_to(1), (only,))


def superseded(number: int) -> SupersededServer:
    return SupersededServer(uuid=UUID(int=number), revision=1)


def test_nothing_equivalent_makes_a_new_server_of_the_names_own() -> None:
    assert identify(config(name="main"), [server(1, config(name="other"))], True).name == "main"
    found = identify(config(), [], True)
    assert (found.name, found.view, found.supersedes) == ("churn", None, ())


def test_the_same_name_is_the_same_server_whatever_its_model_and_flow() -> None:
    mine = server(1, config(name="main", model_name="a", provenance=FLOW))
    assert identify(config(name="main", model_name="b", provenance=OTHER_TASK), [mine], True).view is mine


def test_without_a_name_the_same_model_of_the_same_flow_and_task_is_the_same_server() -> None:
    mine = server(1, config(provenance=FLOW))
    assert identify(config(provenance=OTHER_RUN), [mine], True).view is mine
    assert identify(config(provenance=OTHER_TASK), [mine], True).view is None
    assert identify(config(), [mine], True).view is None
    assert identify(config(model_name="fraud", provenance=FLOW), [mine], True).view is None


def test_a_server_that_was_named_is_never_the_same_as_one_without_a_name() -> None:
    named = server(1, config(name="churn"))
    found = identify(config(), [named], True)
    assert (found.view, found.name) == (None, "churn-2")


def test_a_name_finds_the_server_that_was_derived_to_it() -> None:
    derived = server(1, config())
    assert identify(config(name="churn"), [derived], True).view is derived


def test_of_several_the_newest_stays_and_the_others_are_superseded() -> None:
    views = [
        server(1, config(), days=1),
        server(2, config(), "churn-2", days=3),
        server(3, config(), "churn-3", days=2),
    ]
    found = identify(config(), views, True)
    assert (found.view, found.name) == (views[1], "churn-2")
    assert found.supersedes == (superseded(3), superseded(1))


def test_servers_made_at_the_same_moment_are_told_apart_by_uuid() -> None:
    views = [server(number, config(), f"churn-{number}") for number in (2, 3, 1)]
    assert identify(config(), views, True).view is views[1]


def test_without_replace_a_new_server_gets_the_next_free_name() -> None:
    views = [server(1, config()), server(2, config(), "churn-2")]
    found = identify(config(), views, False)
    assert (found.name, found.view, found.supersedes) == ("churn-3", None, ())


def test_without_replace_a_name_that_is_taken_is_an_error_that_says_what_to_do() -> None:
    with pytest.raises(ServerAlreadyExists, match=str(UUID(int=1))) as error:
        identify(config(name="main"), [server(1, config(name="main"))], False)
    assert "replace=True" in error.value.hint and "revision 1" in error.value.serving


def test_a_route_without_workloads_is_nobodys_server() -> None:
    empty = ServerView("churn", routed_to(1), ())
    identity = identify(config(), [empty], True)
    assert (identity.name, identity.view) == ("churn", empty), "its number goes on where that of the gone one ended"
    with pytest.raises(ServerNotFound):
        of_uuid(UUID(int=1), [empty])


def test_a_uuid_names_one_server() -> None:
    views = [server(1, config()), server(2, config(), "churn-2")]
    assert of_uuid(UUID(int=2), views) is views[1]
    with pytest.raises(ServerNotFound, match=str(UUID(int=9))):
        of_uuid(UUID(int=9), views)


def test_the_same_config_and_bytes_are_the_same_wherever_they_came_from() -> None:
    mine = record(1).model_copy(update={"config": config(provenance=FLOW)})
    assert same(mine, wish(config(provenance=OTHER_TASK)))
    assert not same(mine, wish(config(provenance=FLOW), digest="digest-2"))
    assert not same(mine, wish(config(model_name="fraud", provenance=FLOW)))


def test_another_token_is_not_the_same() -> None:
    mine = record(1).model_copy(update={"config": config(), "access": "token:old"})
    assert same(mine, wish(config(), access="token:old")) and not same(mine, wish(config(), access="token:new"))


def wish(config: ModelServerConfig, digest: str = "digest-1", access: str = "") -> Wish:
    launch = Launch(argv=(), readiness_path="")
    return Wish(
        config=config, digest=digest, model_type="", launch=launch, request_id="", cause="deployed", access=access
    )
