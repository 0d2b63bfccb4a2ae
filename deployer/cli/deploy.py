"""`deploy` and `plan`."""

from typing import TYPE_CHECKING, Annotated

import typer

from deployer.cli import options
from deployer.cli.config import config_of
from deployer.cli.session import session_of
from deployer.cli.shapes import server_shape, step_shape
from deployer.cli.terminal import print_json, say

if TYPE_CHECKING:
    from deployer.cli.session import Session
    from deployer.server import ModelServer

NoReplace = Annotated[
    bool, typer.Option("--no-replace", help="A new server beside the old ones; a taken name is an error.")
]


def deploy(
    ctx: typer.Context,
    *,
    name: options.Name = None,
    model_uri: options.ModelUri = None,
    config: options.ConfigFile = None,
    no_replace: NoReplace = False,
    timeout: options.Timeout = 300,
    model_name: options.ModelName = None,
    model_type: options.ModelType = None,
    runtime: options.Runtime = None,
    env: options.Env = None,
    secret: options.Secret = None,
    as_json: options.Json = False,
) -> None:
    """Put a model behind a URL.

    A server of that name gets a new revision, and serves its old one until the new one is ready.

    With --json: the server, as `describe --json` prints it, without its history.
    """
    session = session_of(ctx, as_json)
    given = _given(name, model_uri, model_name, model_type, runtime)
    wanted = config_of(config, given, env or [], secret or [])
    with session.steps_shown():
        server = session.deployer.deploy_model(wanted, replace=not no_replace, timeout=timeout)
    print_deployed(session, server)


def plan(
    ctx: typer.Context,
    *,
    name: options.Name = None,
    model_uri: options.ModelUri = None,
    config: options.ConfigFile = None,
    no_replace: NoReplace = False,
    model_name: options.ModelName = None,
    model_type: options.ModelType = None,
    runtime: options.Runtime = None,
    env: options.Env = None,
    secret: options.Secret = None,
    as_json: options.Json = False,
) -> None:
    """Say what `deploy` would do, and why.

    Nothing is changed, but that the model is copied to the model store.

    With --json: steps, each with action, workload and cause.
    """
    session = session_of(ctx, as_json)
    given = _given(name, model_uri, model_name, model_type, runtime)
    wanted = config_of(config, given, env or [], secret or [])
    with session.steps_shown():
        steps = session.engine_deployer("plan").plan(wanted, replace=not no_replace)
    if session.as_json:
        print_json({"steps": [step_shape(step) for step in steps]})
        return
    for step in steps:
        say(f"{step}: {step.cause}")
    if not steps:
        say("Nothing is to be done: it serves just that already.")


def print_deployed(session: "Session", server: "ModelServer") -> None:
    """What serves now, and how to call it."""
    from deployer.client import curl

    if session.as_json:
        print_json(server_shape(session.deployer, server))
        return
    if server.state != "ready":
        say(f"{server.name}: revision {server.revision} is {server.state}: {server.message}", "yellow")
        return
    say(f"{server.name} serves revision {server.revision} at {server.url}", "green")
    say(f"Call it: {curl(server)}")


def _given(
    name: str | None, model_uri: str | None, model_name: str | None, model_type: str | None, runtime: str | None
) -> dict[str, str | None]:
    return {
        "name": name,
        "model_uri": model_uri,
        "model_name": model_name,
        "model_type": model_type,
        "runtime": runtime,
    }
