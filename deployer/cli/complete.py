"""Words that the shell may complete."""

from collections.abc import Iterable
from typing import Any

import typer

from deployer.cli.session import Session


def server_names(ctx: typer.Context, incomplete: str) -> list[str]:
    """Names of the servers there are, quietly: whatever goes wrong, nothing is proposed."""
    try:
        names = [server.name for server in _session(ctx).deployer.find_model_server()]
    except Exception:
        return []
    return _beginning(incomplete, names)


def flavor_names(ctx: typer.Context, incomplete: str) -> list[str]:
    """Names of the flavors that are installed."""
    from deployer.references import flavors

    return _beginning(incomplete, flavors())


def _session(ctx: typer.Context) -> Session:
    """The global options are read, but no command runs that would make a session of them."""
    given: dict[str, Any] = ctx.find_root().params
    return Session(given.get("deployer") or "process", tuple(given.get("settings") or ()))


def _beginning(incomplete: str, names: Iterable[str]) -> list[str]:
    return sorted(name for name in names if name.startswith(incomplete))
