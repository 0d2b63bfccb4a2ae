"""The command, and the list of its checks."""

import os

import typer

from deployer.cli import options
from deployer.cli.session import session_of
from deployer.cli.terminal import print_json, say

STYLES = {"ok": "green", "info": "dim", "warn": "yellow", "fail": "bold red"}


def doctor(ctx: typer.Context, as_json: options.Json = False) -> None:
    """Say what works here and what does not, and how to mend it.

    It changes nothing. What a flavor needs is looked at with the settings of -d and --set. The exit code is 1 where
    something fails.

    With --json: checks, each with name, status (ok, info, warn, fail), what and hint.
    """
    os.environ.setdefault("PREFECT_SERVER_ALLOW_EPHEMERAL_MODE", "false")  # To look, no server is started.
    from deployer.cli.doctor.checks import CHECKS
    from deployer.cli.doctor.examine import examine
    from deployer.cli.doctor.finding import Status

    session = session_of(ctx, as_json)
    found = examine(CHECKS, session)
    if session.as_json:
        checks = [{"name": n, "status": str(f.status), "what": f.what, "hint": f.hint} for n, f in found.items()]
        print_json({"checks": checks})
    else:
        width = max(map(len, found))
        for name, finding in found.items():
            say(f"{finding.status:<4}  {name:<{width}}  {finding.what}", STYLES[finding.status])
            if finding.hint and finding.status is not Status.OK:
                say(f"{'':<{width + 8}}{finding.hint}", "cyan")
    if any(finding.status is Status.FAIL for finding in found.values()):
        raise typer.Exit(1)
