"""All that befalls a model server whose secrets were planted, and all that is told of it meanwhile."""

from typing import Any
from urllib.parse import quote, quote_plus

import psutil
import pytest
from prefect.client.orchestration import get_client
from prefect.events.worker import EventsWorker
from prefect.exceptions import PrefectHTTPStatusError

import deployer as library
from deployer.errors import AccessDenied, InvalidConfig, RevisionRefused, SecretUnresolved
from flows.deploy_model_server import deploy_model_server
from flows.find_model_servers import find_model_servers
from flows.reconcile_model_servers import reconcile_model_servers
from flows.rollback_model_server import rollback_model_server
from flows.start_model_server import start_model_server
from flows.stop_model_server import stop_model_server
from tests.prefect_server.served import kill
from tests.prefect_server.waiting import wait_for
from tests.secrets.planted import told_in
from tests.secrets.world import World


def a_life_by_flows(world: World) -> None:
    block = world.block
    deploy_model_server(block, world.config("v1"))
    the_server_was_given_them(world)
    deploy_model_server(block, world.fetched("v2"))
    with pytest.raises(RevisionRefused):
        deploy_model_server(block, world.config("v3", "exit"))
    rollback_model_server(block, "churn")
    stop_model_server(block, "churn")
    server = start_model_server(block, "churn")
    kill(world.deployer, server)
    reconcile_model_servers(block)
    (server,) = find_model_servers(block, running=True)
    assert library.predict(server, [1]) == {"answer": "v1"}


def the_server_was_given_them(world: World) -> None:
    (workload,) = world.deployer.engine.list("churn")
    pid = world.deployer.engine.pid(workload.ref)
    given = psutil.Process(pid).environ()
    variables = {"environment": "OF_ENVIRONMENT", "file": "OF_FILE", "block": "OF_BLOCK"}
    assert {name: given[variable] for name, variable in variables.items()}.items() <= world.planted.items()


def what_the_command_line_shows(world: World) -> None:
    shown = [
        world.command(*words)
        for words in (
            ("describe", "churn", "--json"),
            ("describe", "churn"),
            ("list", "--json"),
            ("history", "churn", "--json"),
            ("logs", "churn"),
            ("predict", "churn", "[1]"),
            ("predict", "churn", "[1]", "--token", "env:PLANTED"),
            ("reconcile", "--json"),
            ("doctor", "--json"),
        )
    ]
    assert "env:PLANTED" in shown[0].stdout and "answer" in shown[5].stdout and "401" in shown[6].stderr
    everything = world.first_line_of_watching() + "".join(one.stdout + one.stderr for one in shown)
    assert told_in(everything.encode(), world.planted) == []


def what_errors_say(world: World) -> None:
    """A reference that leads nowhere; and a secret in place of one: a config, its URI, a setting, a run's parameter."""
    wrong = world.config("v4", secrets={"KEY": f"file:{world.folder}/nowhere"})
    with pytest.raises(SecretUnresolved):
        deploy_model_server(world.block, wrong)
    world.web.token = "another"
    with pytest.raises(AccessDenied):
        deploy_model_server(world.block, world.fetched("v5"))
    (secret, *_) = world.planted.values()
    with pytest.raises(InvalidConfig) as error:
        library.load("process", token=secret)
    said = str(error.value)
    for words in (
        ("--set", f"token={secret}", "list"),
        ("deploy", "churn", "v1", "--secret", f"KEY={secret}"),
        (*settings_of(world), "predict", "churn", "[1]", "--token", secret),
        (*settings_of(world), "deploy", "churn", f"https://me:{quote(secret, safe='')}@127.0.0.1:9/w"),
        (*settings_of(world), "deploy", "churn", f"https://127.0.0.1:9/w?private_token={quote_plus(secret)}"),
    ):
        said += in_this_process(*words)
    assert told_in(said.encode(), world.planted) == []
    refused_by_prefects_api(secret)


def in_this_process(*words: str) -> str:
    """Not as a process of its own, whose arguments would be the user's doing."""
    from typer.testing import CliRunner

    from deployer.cli.main import app

    ran = CliRunner().invoke(app, list(words))
    assert ran.exit_code in (1, 2), ran.output
    return ran.output


def settings_of(world: World) -> list[str]:
    return ["--set", f"state_dir={world.settings.state_dir}", "--set", "token=env:COMMON_TOKEN"]


def refused_by_prefects_api(secret: str) -> None:
    deployment: Any = deploy_model_server.to_deployment("planted", _sync=True)  # type: ignore[call-arg]
    sound = {"secrets": {"KEY": "env:PLANTED"}, "access": {"token": "env:PLANTED"}, "credentials": {"ID": "env:ID"}}
    wrong = {"secrets": {"KEY": secret}, "access": {"token": secret}, "credentials": {"ID": secret}}
    with get_client(sync_client=True) as client:
        identity = deployment.apply()

        def begin(**fields: object) -> None:
            config = {"model_uri": "v1", "name": "churn"} | sound | fields
            deployer = {"block_type_slug": "process-model-deployer", "keep_models": 3}
            parameters = {"deployer": deployer, "config": config}
            client.create_flow_run_from_deployment(identity, parameters=parameters)

        begin()
        for field, value in wrong.items():
            with pytest.raises(PrefectHTTPStatusError, match=f"config.{field}"):
                begin(**{field: value})
        client.delete_deployment(identity)


def all_is_told_to_prefect(world: World) -> None:
    EventsWorker.drain_all(timeout=10)
    wait_for(lambda: world.holds("Prefect's API", "revision 2 is ready"), "the logs have come")
