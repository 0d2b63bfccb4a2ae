"""`list`, `describe`, `get-url`, `history` and `logs`: looking changes nothing."""

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from deployer.cli import options, shapes, tables
from deployer.cli.session import session_of, uuid_in
from deployer.cli.terminal import print_json, say
from deployer.errors import InvalidRequest
from deployer.traffic import known_traffic

if TYPE_CHECKING:
    from uuid import UUID

    from deployer.cli.session import Session
    from deployer.engine import Unreadable

Filter = str | None


def list_servers(
    ctx: typer.Context,
    *,
    running: Annotated[bool, typer.Option("--running", help="Only those that pass their health check now.")] = False,
    uuid: Annotated[Filter, typer.Option("--uuid", metavar="UUID", help="Only the one with that UUID.")] = None,
    flow: Annotated[Filter, typer.Option("--flow", metavar="NAME", help="Only those that flow deployed.")] = None,
    flow_run: Annotated[Filter, typer.Option("--flow-run", metavar="ID", help="Only those of that flow run.")] = None,
    task: Annotated[Filter, typer.Option("--task", metavar="NAME", help="Only those that task deployed.")] = None,
    model_name: options.ModelName = None,
    model_uri: Annotated[Filter, typer.Option("--model-uri", metavar="URI", help="Only those of that model.")] = None,
    model_type: options.ModelType = None,
    watch: Annotated[
        bool, typer.Option("--watch", "-w", help="Show them and their traffic, until interrupted.")
    ] = False,
    interval: Annotated[float, typer.Option("--interval", metavar="SECONDS", min=0.1, help="Of --watch.")] = 2,
    as_json: options.Json = False,
) -> None:
    """List the model servers, newest first.

    What claims to be one and cannot be read is named below them. With --watch: what passes through each since its
    route last changed, as the gateway counts it, and how many requests a second since the look before.

    With --json: servers, each as `deploy --json` prints it, and unreadable, each with where and reason. With
    --watch: one object a line, with servers, each with uuid, name, state, message, revision, requests_per_second
    and traffic (requests, errors, answers by class of status, p50_s, p95_s, p99_s).
    """
    session = session_of(ctx, as_json)
    find = partial(
        session.deployer.find_model_server,
        running=running,
        service_uuid=_uuid(uuid) if uuid is not None else None,
        pipeline_name=flow,
        pipeline_run_id=flow_run,
        pipeline_step_name=task,
        model_name=model_name,
        model_uri=model_uri,
        model_type=model_type,
    )
    if watch:
        from deployer.cli import watch as watching

        watching.watch(session, find, interval)
        return
    servers, unreadable = find(), _unreadable(session)
    if session.as_json:
        found = [shapes.server_shape(session.deployer, server) for server in servers]
        print_json({"servers": found, "unreadable": shapes.unreadable_shape(unreadable)})
    else:
        tables.print_servers(servers)
        tables.print_unreadable(unreadable)


def describe(ctx: typer.Context, server: options.Server, as_json: options.Json = False) -> None:
    """Say all that is known of a server.

    That is its state, URL, model, digest, what they take on disk, where it came from, what passed through it since its
    route last changed, and its revisions.

    With --json: uuid, name, url, prediction_url, state, message, revision, model_name, model_uri, model_type,
    digest, pipeline_name, pipeline_run_id, pipeline_step_name, protocol, created_at, deployed_at, config, token (its
    reference), model_bytes, log_bytes, traffic as `list --watch --json` prints it, and history as `history --json`
    prints it.
    """
    from deployer.engine_deployer import EngineModelDeployer
    from deployer.sizes import Sizes, sizes_of

    session = session_of(ctx, as_json)
    found = session.server(server)
    deployer = session.deployer
    history, sizes = [], Sizes()
    if isinstance(deployer, EngineModelDeployer):
        history, sizes = deployer.history(found.uuid), sizes_of(deployer, found)
    traffic = (known_traffic(deployer, [found]) or {}).get(found.uuid)
    if session.as_json:
        more = {**shapes.sizes_shape(sizes), "traffic": shapes.traffic_shape(traffic)}
        revisions = [shapes.revision_shape(entry) for entry in history]
        print_json({**shapes.server_shape(deployer, found), **more, "history": revisions})
    else:
        tables.print_server(found, sizes, traffic)
        say("")
        tables.print_history(history)


def get_url(ctx: typer.Context, server: options.Server, as_json: options.Json = False) -> None:
    """Print a server's URL.

    With --json: url, prediction_url.
    """
    session = session_of(ctx, as_json)
    found = session.server(server)
    if session.as_json:
        print_json({"url": found.url, "prediction_url": found.prediction_url})
    else:
        say(found.url)


def history(ctx: typer.Context, server: options.Server, as_json: options.Json = False) -> None:
    """List a server's revisions, and what became of each.

    The last ten are remembered; the oldest comes first.

    With --json: uuid, name, and revisions, each with number, origin, outcome, reason, cause, digest, created_at
    and config.
    """
    session = session_of(ctx, as_json)
    found = session.server(server)
    entries = session.engine_deployer("history").history(found.uuid)
    if session.as_json:
        revisions = [shapes.revision_shape(entry) for entry in entries]
        print_json({"uuid": str(found.uuid), "name": found.name, "revisions": revisions})
    else:
        tables.print_history(entries)


def logs(
    ctx: typer.Context,
    *,
    server: options.Server,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with what comes, until it ends.")] = False,
    tail: Annotated[int, typer.Option("--tail", "-n", min=0, metavar="N", help="How many of the last lines.")] = 100,
    revision: Annotated[
        int | None, typer.Option("--revision", metavar="N", help="Of that revision; else of what serves.")
    ] = None,
    as_json: options.Json = False,
) -> None:
    """Print what a server wrote.

    With --json: one object a line, with line.
    """
    session = session_of(ctx, as_json)
    found = session.server(server)
    lines = session.engine_deployer("logs").logs(found.uuid, follow=follow, tail=tail, revision=revision)
    for line in lines:
        if session.as_json:
            print_json({"line": line})
        else:
            print(line, flush=follow)


def _unreadable(session: "Session") -> "Sequence[Unreadable]":
    from deployer.engine_deployer import EngineModelDeployer

    return session.deployer.unreadable() if isinstance(session.deployer, EngineModelDeployer) else []


def _uuid(text: str) -> "UUID":
    if uuid := uuid_in(text):
        return uuid
    raise InvalidRequest(f"{text!r} is no UUID.", hint="It has 32 hex digits; `model-deployer list --json` shows them.")
