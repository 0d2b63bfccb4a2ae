"""The command `model-deployer`: its options, and every command by its name."""

import contextlib
import signal
import sys
from collections.abc import Callable
from types import FrameType
from typing import Annotated, NoReturn

import typer

from deployer import __version__
from deployer.cli import deploy, flavors, init, lifecycle, look, predict, prune, register
from deployer.cli.command import Command
from deployer.cli.complete import flavor_names
from deployer.cli.doctor import command as doctor
from deployer.cli.session import Session

COMMANDS: dict[str, Callable[..., None]] = {
    "deploy": deploy.deploy,
    "plan": deploy.plan,
    "list": look.list_servers,
    "describe": look.describe,
    "get-url": look.get_url,
    "history": look.history,
    "logs": look.logs,
    "predict": predict.predict,
    "start": lifecycle.start,
    "stop": lifecycle.stop,
    "delete": lifecycle.delete,
    "rollback": lifecycle.rollback,
    "reconcile": lifecycle.reconcile,
    "prune": prune.prune,
    "init": init.init,
    "doctor": doctor.doctor,
}

# Without rich's markup, `--help` need not load rich.
app = typer.Typer(
    name="model-deployer",
    rich_markup_mode=None,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
flavor = typer.Typer(rich_markup_mode=None, no_args_is_help=True, help="What kinds of deployer there are.")

for _name, _function in COMMANDS.items():
    app.command(_name, cls=Command)(_function)
flavor.command("list", cls=Command)(flavors.list_flavors)
flavor.command("register", cls=Command)(register.register)
app.add_typer(flavor, name="flavor")


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def options(
    ctx: typer.Context,
    *,
    deployer: Annotated[
        str,
        typer.Option(
            "-d",
            "--deployer",
            metavar="REFERENCE",
            envvar="MODEL_DEPLOYER",
            help="A flavor (process) or a Prefect Block (process-model-deployer/prod).",
            autocompletion=flavor_names,
        ),
    ] = "process",
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="A setting of the flavor; also from MODEL_DEPLOYER_<KEY>."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON; accepted after each command too.")] = False,
    traceback: Annotated[
        bool,
        typer.Option("--traceback", envvar="MODEL_DEPLOYER_TRACEBACK", help="Show where in the code an error arose."),
    ] = False,
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True)] = False,
) -> None:
    """Deploy models to URLs that stay up while the models change.

    Where a SERVER is asked for, give its name or its UUID.

    Exit codes: 0, 1 where something failed, 2 where it was asked for wrongly. With --json, stdout holds JSON
    alone, and an error is one JSON object on stderr: error, what, serving, hint, and log_tail and exit_code
    where a revision was refused.
    """
    ctx.obj = Session(deployer, tuple(settings or ()), as_json, traceback)


def main() -> None:
    """Run the command line, and let what was begun be cleared up when the process is told to end."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, _end)
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError):
            stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    app(prog_name="model-deployer")


def _end(number: int, frame: FrameType | None) -> NoReturn:
    """Not an `Exception`, so that nothing but clearing up gets in its way; told again, it is already doing so."""
    signal.signal(number, signal.SIG_IGN)
    raise SystemExit(128 + number)
