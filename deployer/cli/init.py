"""`init`: all that the flows need on a Prefect server."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from deployer.cli import options
from deployer.cli.session import session_of
from deployer.cli.terminal import print_json, say
from deployer.errors import Unsupported

if TYPE_CHECKING:
    from deployer.cli.session import Session
    from deployer.cli.setup.needed import Thing

FLAVOR = "process"
Folder = Annotated[
    Path, typer.Option("--folder", metavar="FOLDER", help="Where the shipped deployments.yaml shall stand.")
]


def init(ctx: typer.Context, *, folder: Folder = Path("."), as_json: options.Json = False) -> None:
    """Make what Prefect needs to run the flows: a work pool, a default Block, the shipped deployments.

    What is there already is left as it is, a deployments.yaml of your own too. It needs a Prefect server or Prefect
    Cloud; where none is set, it says how to start one and changes nothing. The Block gets the settings given by
    --set and the environment.

    With --json: server, made and there (each a list of kind and name), and worker, the command that runs them.
    """
    from deployer.cli.setup.needed import provide
    from deployer.cli.setup.prefect_server import shown_url
    from deployer.cli.setup.shipped import NAME

    session = session_of(ctx, as_json)
    things = []
    for thing in provide(folder.expanduser().absolute() / NAME, _settings(session)):
        things.append(thing)
        if not session.as_json:
            say(f"{thing.kind} {thing.name} {'is made' if thing.made else 'is there'}", "green" if thing.made else "")
    worker = f"prefect worker start --pool {next(thing.name for thing in things if thing.kind == 'work pool')}"
    if session.as_json:
        print_json({"server": shown_url(), **_as_json(things), "worker": worker})
        return
    if not any(thing.made for thing in things):
        say("All is there already; nothing was changed.")
    say(f"What runs them: {worker}")


def _settings(session: "Session") -> dict[str, Any]:
    from deployer.cli.settings import settings_of
    from deployer.prefect_block import block_type
    from deployer.references import flavors, parse_settings

    if session.reference != FLAVOR:
        raise Unsupported(
            f"The shipped deployments are for the flavor {FLAVOR}, not for {session.reference}.",
            hint=f"Leave out -d; afterwards edit the Block {block_type(FLAVOR)}/default in Prefect's UI.",
        )
    given = settings_of(FLAVOR, session.assignments, os.environ)
    settings = parse_settings(flavors()[FLAVOR].load().SETTINGS, FLAVOR, given)
    return settings.model_dump(exclude_unset=True)


def _as_json(things: "Sequence[Thing]") -> dict[str, list[dict[str, str]]]:
    def those(made: bool) -> list[dict[str, str]]:
        return [{"kind": thing.kind, "name": thing.name} for thing in things if thing.made is made]

    return {"made": those(True), "there": those(False)}
