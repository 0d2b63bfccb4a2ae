"""`start`, `stop`, `delete`, `rollback` and `reconcile`."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from deployer.cli import options
from deployer.cli.deploy import print_deployed
from deployer.cli.session import session_of
from deployer.cli.shapes import report_shape, server_shape
from deployer.cli.terminal import print_json, say
from deployer.errors import ServerNotFound

if TYPE_CHECKING:
    from uuid import UUID

    from deployer.cli.session import Session
    from deployer.rollout.reconcile import Report
    from deployer.server import ModelServer


def start(
    ctx: typer.Context, server: options.Server, timeout: options.Timeout = 300, as_json: options.Json = False
) -> None:
    """Start a stopped or failed server.

    It is waited for until it serves at its URL.

    With --json: the server, as `deploy --json` prints it.
    """
    session = session_of(ctx, as_json)
    found = session.server(server)
    with session.steps_shown():
        session.deployer.start_model_server(found.uuid, timeout=timeout)
    print_deployed(session, _as_it_is_now(session, found))


def stop(
    ctx: typer.Context,
    *,
    server: options.Server,
    timeout: options.Timeout = 300,
    force: options.Force = False,
    as_json: options.Json = False,
) -> None:
    """Stop a server, for now.

    It keeps its UUID, its URL (which answers 503) and all it needs to start again.

    With --json: the server, as `deploy --json` prints it.
    """
    session = session_of(ctx, as_json)
    found = session.server(server)
    with session.steps_shown():
        session.deployer.stop_model_server(found.uuid, timeout=timeout, force=force)
    now = _as_it_is_now(session, found)
    if session.as_json:
        print_json(server_shape(session.deployer, now))
    else:
        say(f"{now.name} is {now.state}; its URL answers 503 until it is started.")


def delete(
    ctx: typer.Context,
    *,
    server: options.Server,
    timeout: options.Timeout = 300,
    force: options.Force = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask, also on a terminal.")] = False,
    as_json: options.Json = False,
) -> None:
    """Remove a server for good.

    Its revisions and its URL go too. With --force, one that is not there is no error.

    With --json: uuid, name, deleted.
    """
    session = session_of(ctx, as_json)
    uuid, name = _to_delete(session, server, force)
    if uuid and not yes and not session.as_json and sys.stdin.isatty():
        typer.confirm(f"Delete {name} and all its revisions for good?", abort=True, err=True)
    if uuid:
        with session.steps_shown():
            session.deployer.delete_model_server(uuid, timeout=timeout, force=force)
    if session.as_json:
        print_json({"uuid": uuid, "name": name, "deleted": uuid is not None})
    else:
        say(f"{name} is deleted." if uuid else f"There is no {name}; nothing was to be deleted.")


def rollback(
    ctx: typer.Context,
    *,
    server: options.Server,
    revision: Annotated[int | None, typer.Option("--revision", metavar="N", help="Which; else the previous.")] = None,
    timeout: options.Timeout = 300,
    as_json: options.Json = False,
) -> None:
    """Serve an earlier revision again.

    Its config and its model become a new revision.

    With --json: the server, as `deploy --json` prints it.
    """
    session = session_of(ctx, as_json)
    found = session.server(server)
    with session.steps_shown():
        now = session.engine_deployer("rollback").rollback(found.uuid, revision, timeout=timeout)
    print_deployed(session, now)


def reconcile(ctx: typer.Context, timeout: options.Timeout = 300, as_json: options.Json = False) -> None:
    """Bring every server to what it should be.

    Rollouts are finished, what died is brought back, what is left over is removed.

    With --json: servers, each with name, uuid, steps (action, workload, cause, seconds), pending and error; troubles,
    in words.
    """
    session = session_of(ctx, as_json)
    with session.steps_shown():
        report = session.engine_deployer("reconcile").reconcile(timeout=timeout)
    if session.as_json:
        print_json(report_shape(report))
    else:
        _say_report(report)
    if not report.went_well:
        raise typer.Exit(1)


def _say_report(report: "Report") -> None:
    for one in report.servers:
        if one.error:
            say(f"{one.name}: {one.error}", "red")
        elif one.pending:
            say(f"{one.name}: not done within the time: {one.pending}", "yellow")
    for trouble in report.troubles:
        say(trouble, "red")
    changed, count = len(report.changed), len(report.servers)
    say(f"Servers: {count}, changed: {changed}, failed: {len(report.failed)}.")


def _as_it_is_now(session: "Session", server: "ModelServer") -> "ModelServer":
    for found in session.deployer.find_model_server(service_uuid=server.uuid):
        return found
    raise ServerNotFound(f"{server.name} was deleted meanwhile.", hint="Deploy it again to make a new server.")


def _to_delete(session: "Session", wanted: str, force: bool) -> "tuple[UUID | None, str]":
    """Its UUID, and its name; no UUID where it is not there and need not be."""
    try:
        found = session.server(wanted)
    except ServerNotFound:
        if not force:
            raise
        return None, wanted
    return found.uuid, found.name
