"""Arguments and options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

from deployer.cli.complete import server_names

Server = Annotated[
    str, typer.Argument(metavar="SERVER", help="A model server's name or UUID.", autocompletion=server_names)
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Timeout = Annotated[int, typer.Option("--timeout", metavar="SECONDS", help="How long it may take; 0 does not wait.")]
Force = Annotated[bool, typer.Option("--force", help="Kill at once, without draining or grace.")]

Name = Annotated[str | None, typer.Argument(metavar="NAME", help="Name of the model server.")]
ModelUri = Annotated[
    str | None,
    typer.Argument(
        metavar="MODEL_URI",
        help="Where the model is: a path, or a URI of file:, http:, https:, s3:, gs:, az:, hf:, models: or runs:.",
    ),
]
ConfigFile = Annotated[
    Path | None,
    typer.Option("--config", metavar="FILE", help="YAML or JSON of a config's fields; the command line wins over it."),
]
ModelName = Annotated[str | None, typer.Option("--model-name", metavar="TEXT", help="Name of the model.")]
ModelType = Annotated[str | None, typer.Option("--model-type", metavar="TEXT", help="Free text to find it by.")]
Runtime = Annotated[
    str | None, typer.Option("--runtime", metavar="NAME", help="How the model becomes an HTTP server: mlflow, command.")
]
Env = Annotated[
    list[str] | None, typer.Option("--env", metavar="K=V", help="An environment variable of the server; repeatable.")
]
Secret = Annotated[
    list[str] | None,
    typer.Option("--secret", metavar="K=REF", help="One by reference: env:NAME, file:/path, prefect:block/name."),
]
