"""What holds for every command: how its errors are told, and with which exit code it ends."""

import json
import os
import sys
import traceback
from typing import TYPE_CHECKING, Any

import typer
from typer.core import TyperCommand

from deployer.cli.terminal import say
from deployer.errors import DeployerError, InvalidRequest

if TYPE_CHECKING:
    from deployer.cli.session import Session

FAILED, USAGE, INTERRUPTED, BROKEN_PIPE = 1, 2, 130, 141


class Command(TyperCommand):
    """A command whose errors say what happened, what still serves and what to do next."""

    def invoke(self, ctx: Any) -> Any:
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()
            return result
        except (typer.Exit, typer.Abort):
            raise
        except KeyboardInterrupt:
            say("Interrupted; `model-deployer list` shows what serves now.", stderr=True)
            raise typer.Exit(INTERRUPTED) from None
        except BrokenPipeError:
            _let_go_of_stdout()
            raise typer.Exit(BROKEN_PIPE) from None
        except Exception as error:
            raise typer.Exit(_told(error, ctx.obj)) from None


def _told(error: Exception, session: "Session") -> int:
    if session.traceback:
        traceback.print_exception(error)
    known = error if isinstance(error, DeployerError) else _unexpected(error)
    if session.as_json:
        print(json.dumps(_as_json(known, type(error).__name__)), file=sys.stderr)
    else:
        _show(known)
    return USAGE if isinstance(known, InvalidRequest) else FAILED


def _unexpected(error: Exception) -> DeployerError:
    return DeployerError(
        f"Something went wrong that should not: {type(error).__name__}: {error}",
        hint="Please report it with what `model-deployer --traceback` shows when you do the same again.",
    )


def _as_json(error: DeployerError, kind: str) -> dict[str, object]:
    parts: dict[str, object] = {"error": kind, "what": error.what, "serving": error.serving, "hint": error.hint}
    return parts | {name: getattr(error, name) for name in ("log_tail", "exit_code") if hasattr(error, name)}


def _show(error: DeployerError) -> None:
    name = "" if type(error) is DeployerError else f"{type(error).__name__}: "
    say(name + error.what, "bold red", stderr=True)
    if log_tail := getattr(error, "log_tail", ""):
        say("Last log lines:", stderr=True)
        for line in log_tail.splitlines():
            say(f"  {line}", "dim", stderr=True)
    if error.serving:
        say(error.serving, "green", stderr=True)
    if error.hint:
        say(error.hint, "cyan", stderr=True)


def _let_go_of_stdout() -> None:
    """What is left in its buffer would be complained about at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
