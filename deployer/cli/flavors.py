"""`flavor list`."""

import typer

from deployer.cli.options import Json
from deployer.cli.session import session_of
from deployer.cli.terminal import Column, print_json, print_table

KEYS = ("name", "class", "distribution", "version")


def list_flavors(ctx: typer.Context, as_json: Json = False) -> None:
    """List the flavors that are installed; -d takes their names.

    With --json: flavors, each with name, class, distribution and version.
    """
    from deployer.references import flavors

    rows = [
        (name, entry.value, entry.dist.name if entry.dist else "", entry.dist.version if entry.dist else "")
        for name, entry in sorted(flavors().items())
    ]
    if session_of(ctx, as_json).as_json:
        print_json({"flavors": [dict(zip(KEYS, row, strict=True)) for row in rows]})
    else:
        print_table([Column(key) for key in KEYS], rows)
