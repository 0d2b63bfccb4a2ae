"""`predict`."""

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from deployer.cli import options
from deployer.cli.session import session_of
from deployer.cli.terminal import print_json
from deployer.errors import InvalidRequest


def predict(
    ctx: typer.Context,
    server: options.Server,
    data: Annotated[
        str | None, typer.Argument(metavar="DATA", help="JSON, @FILE to read it from, or - for standard input.")
    ] = None,
    timeout: Annotated[float, typer.Option("--timeout", metavar="SECONDS", min=0.001, help="For the answer.")] = 60,
    token: Annotated[
        str, typer.Option("--token", metavar="REF", help="The token to show, by reference: env:NAME, file:/path.")
    ] = "",
    as_json: options.Json = False,
) -> None:
    """Ask a server for a prediction.

    What it predicts is printed as JSON.

    With --json: prediction.
    """
    from deployer.client import predict as ask

    session = session_of(ctx, as_json)
    question = _parsed(_text(data))
    prediction = ask(session.server(server), question, timeout=timeout, token=token)
    print_json({"prediction": prediction} if session.as_json else prediction)


def _text(data: str | None) -> str:
    if data is None and sys.stdin.isatty():
        raise InvalidRequest("There is no data to predict for.", hint="Give it as JSON, as @FILE, or through a pipe.")
    if data is None or data == "-":
        return sys.stdin.read()
    return _read(data[1:]) if data.startswith("@") else data


def _read(file: str) -> str:
    try:
        return Path(file).read_text(encoding="utf-8")
    except OSError as error:
        raise InvalidRequest(
            f"The data in {file!r} cannot be read: {error.strerror}.", hint="Name a JSON file."
        ) from None
    except UnicodeDecodeError:
        raise InvalidRequest(f"The data in {file!r} is not UTF-8 text.", hint="Name a JSON file.") from None


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise InvalidRequest(
            f"The data is no JSON: {where}: {error.msg}.",
            hint="Quote it for the shell: '[[5.1, 3.5, 1.4, 0.2]]'; a file is given as @FILE.",
        ) from None
