"""After a whole life no secret's value is anywhere, in whatever form; and what looks for it would find it."""

import base64
import json
import subprocess
import sys
from collections.abc import Callable
from urllib.parse import quote

import pytest
from prefect import flow
from prefect.artifacts import create_markdown_artifact
from prefect.client.orchestration import get_client
from prefect.events import emit_event
from prefect.events.worker import EventsWorker
from prefect.logging import get_run_logger

from tests.prefect_server.waiting import wait_for
from tests.secrets.life import a_life_by_flows, all_is_told_to_prefect, what_errors_say, what_the_command_line_shows
from tests.secrets.places import told
from tests.secrets.planted import forms, planted, told_in
from tests.secrets.world import World

pytestmark = [pytest.mark.xdist_group("prefect"), pytest.mark.timeout(300)]


def test_no_secret_stays_anywhere(world: World) -> None:
    a_life_by_flows(world)
    what_the_command_line_shows(world)
    what_errors_say(world)
    all_is_told_to_prefect(world)
    assert told(world.places, world.planted) == []
    for place, witness in {
        "state directory": "prefect:secret/planted-token",
        "Prefect's home": "prefect:secret/planted-token",
        "Prefect's database": "prefect:secret/planted-token",
        "Prefect's API": "revision 2 is ready",
        "Traefik's admin API": "churn",
        "arguments": "model_server.py",
    }.items():
        assert world.holds(place, witness), f"{place} was searched in vain"


def test_what_a_block_keeps_is_in_prefects_database_and_not_in_clear(world: World) -> None:
    with get_client(sync_client=True) as client:
        kept = client.read_block_document_by_name("planted", "secret", include_secrets=True)
    assert kept.data["value"] == world.planted["block"]
    only = {name: world.places[name] for name in ("Prefect's home", "Prefect's database", "Prefect's API")}
    assert told(only, world.planted) == []


def in_a_file_of_the_state(world: World, secret: str) -> None:
    (world.folder / "state" / "workloads").mkdir(parents=True, exist_ok=True)
    (world.folder / "state" / "workloads" / "left").write_text(f"KEY={secret}")


def in_the_name_of_a_cache(world: World, secret: str) -> None:
    (world.home / ".cache" / secret.encode().hex()).mkdir(parents=True)


def in_a_runs_parameters(world: World, secret: str) -> None:
    @flow
    def told(key: str) -> None: ...

    told(secret)


def in_a_runs_log(world: World, secret: str) -> None:
    @flow
    def told() -> None:
        get_run_logger().info("The key is %s.", secret)

    told()


def in_an_artifact(world: World, secret: str) -> None:
    @flow
    def told() -> None:
        create_markdown_artifact(f"The key is {secret}.", key="planted")

    told()


def in_an_event(world: World, secret: str) -> None:
    emit_event("planted", {"prefect.resource.id": "planted"}, payload={"key": secret})
    EventsWorker.drain_all(timeout=10)


def in_a_route(world: World, secret: str) -> None:
    world.deployer.gateway.ensure()
    headers = {"headers": {"customRequestHeaders": {"Key": secret}}}
    route = world.folder / "state" / "gateway" / "routes" / "planted.yml"
    route.write_text(json.dumps({"http": {"middlewares": {"planted": headers}}}))


def in_an_argument(world: World, secret: str) -> None:
    command = [sys.executable, "-c", "import sys; print(); sys.stdin.read()", secret]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout and process.stdin
        process.stdout.readline()
        wait_for(lambda: any(secret in seen for seen in world.arguments.seen), "somebody looks at the arguments", 20)
        process.stdin.close()


@pytest.mark.parametrize(
    ("plant", "expected"),
    [
        (in_a_file_of_the_state, {"state directory"}),
        (in_the_name_of_a_cache, {"home"}),
        (in_a_runs_parameters, {"Prefect's home", "Prefect's database", "Prefect's API"}),
        (in_a_runs_log, {"Prefect's home", "Prefect's database", "Prefect's API"}),
        (in_an_artifact, {"Prefect's home", "Prefect's database", "Prefect's API"}),
        (in_an_event, {"Prefect's home", "Prefect's database", "Prefect's API"}),
        (in_a_route, {"state directory", "Traefik's admin API"}),
        (in_an_argument, {"arguments"}),
    ],
)
def test_a_secret_that_stays_is_found(plant: Callable[[World, str], None], expected: set[str], world: World) -> None:
    secret = planted("on-purpose")
    world.deployer.gateway.ensure()
    plant(world, secret)

    def found() -> set[str]:
        return {line.partition(":")[0] for line in told(world.places, {"it": secret})}

    wait_for(lambda: found() >= expected, f"it is found in {expected}", 20)
    assert found() == expected


@pytest.mark.parametrize("around", [b"", b"a", b"ab", b"abc"])
def test_a_secret_is_known_in_each_of_its_forms(around: bytes) -> None:
    secret = 'p"l&a+n/t=ed?~'
    for shape in (
        secret.encode(),
        json.dumps({"key": secret}).encode(),
        quote(secret).encode(),
        quote(secret, safe="").encode(),
        base64.b64encode(around + secret.encode() + around),
        base64.urlsafe_b64encode(around + secret.encode() + around),
        secret.encode().hex().encode(),
    ):
        assert told_in(around + shape + around, {"it": secret}), shape
    assert told_in(base64.b64encode(b"something else"), {"it": secret}) == []
    assert len(list(forms(secret))) > 6
