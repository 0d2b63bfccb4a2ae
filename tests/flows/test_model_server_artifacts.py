from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

import pytest

from deployer.config import ModelServerConfig, Provenance
from deployer.engine import Ref
from deployer.gateway import Traffic
from deployer.rollout.steps import Action, Progress, Step
from deployer.server import ModelServer, State
from flows.model_server_artifacts import card, row

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
SERVER = ModelServer(
    uuid=UUID(int=7),
    name="churn",
    url="http://127.0.0.1:8400/churn",
    prediction_url="http://127.0.0.1:8400/churn/invocations",
    state=State.READY,
    message="",
    revision=3,
    config=ModelServerConfig(
        model_uri="models/churn",
        model_name="churn",
        env={"TOKEN": "hunter2"},
        provenance=Provenance(pipeline_name="training", pipeline_run_id="run-1", pipeline_step_name="deploy_model"),
    ),
    digest="abc123",
    model_type="sklearn",
    protocol="mlflow",
    created_at=AT,
    deployed_at=AT,
)
ROUTE = Step(action=Action.ROUTE, cause="revision 3 is ready", ref=Ref("churn", 3, "t"))


def test_the_card_says_what_serves_and_where_it_came_from() -> None:
    text = card(SERVER, [])
    for fact in (SERVER.url, "| Revision | 3 |", "abc123", "training", "run-1", "deploy\\_model", "2026-01-02T03:04"):
        assert fact in text


def test_the_card_says_how_to_call_it_in_the_servers_own_protocol() -> None:
    text = card(SERVER, [])
    assert f"""curl {SERVER.prediction_url} -H 'Content-Type: application/json' -d '{{"inputs": [[""" in text
    assert "question = {'inputs': [[" in text


def test_the_card_of_a_guarded_server_says_where_to_put_the_token() -> None:
    text = card(replace(SERVER, token="env:CHURN_TOKEN"), [])
    assert f'curl -u "token:$TOKEN" {SERVER.prediction_url}' in text
    assert "auth=('token', os.environ['TOKEN'])" in text and "| Token | env:CHURN\\_TOKEN |" in text
    assert "TOKEN" not in card(SERVER, [])


def test_the_card_says_what_passed_through_the_server_where_something_did() -> None:
    traffic = Traffic(answers={"2xx": 96, "5xx": 4}, p50_s=0.0125, p95_s=0.2, p99_s=None)
    text = card(SERVER, [], traffic)
    assert "| Requests since its route changed | 100 (96 2xx, 4 5xx) |" in text
    assert "| How long they took | p50 12.5 ms, p95 200 ms |" in text
    assert "Requests" not in card(SERVER, [])


def test_a_protocol_that_is_not_known_here_still_has_a_card() -> None:
    assert "curl" in card(replace(SERVER, protocol="their-own"), [])


def test_the_card_has_each_step_done_with_its_cause_and_time() -> None:
    text = card(SERVER, [Progress("churn", ROUTE), Progress("churn", ROUTE, 0.25)])
    assert text.count("| route churn-r3 | revision 3 is ready | 0.25 |") == 1
    assert text.count("route churn-r3") == 1


def test_a_deploy_that_changed_nothing_says_so() -> None:
    assert "it serves this already" in card(SERVER, [])


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("a | b", "a \\| b"),
        ("<script>", "\\<script\\>"),
        ("`rm`", "\\`rm\\`"),
        ("*a*", "\\*a\\*"),
        ("[x](http://y)", "\\[x\\](http://y)"),
        ("two\nlines", "two lines"),
    ],
)
def test_what_users_named_cannot_break_the_card(name: str, shown: str) -> None:
    assert card(replace(SERVER, name=name), []).splitlines()[0] == f"# {shown}"


def test_neither_card_nor_table_holds_the_environment() -> None:
    assert "hunter2" not in card(SERVER, []) + str(row(SERVER))
