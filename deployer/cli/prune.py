"""`prune`: what no record names any more is shown, and removed."""

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from deployer.cli import options, tables
from deployer.cli.session import session_of
from deployer.cli.shapes import leftover_shape, unreadable_shape
from deployer.cli.terminal import print_json, say

if TYPE_CHECKING:
    from deployer.cli.session import Session
    from deployer.prune import Leftover

DryRun = Annotated[bool, typer.Option("--dry-run", help="Only show what would be removed.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask, also on a terminal.")]
UnusedFor = Annotated[
    int, typer.Option("--unused-for", min=1, metavar="MINUTES", help="Leave what was touched later than that.")
]


def prune(
    ctx: typer.Context,
    *,
    dry_run: DryRun = False,
    yes: Yes = False,
    unused_for: UnusedFor = 60,
    as_json: options.Json = False,
) -> None:
    """Remove what no record names any more.

    Those are models and environments beyond the revisions that are kept, what broken-off fetches, builds, creations
    and writes left, and files that were set aside. Nothing that serves, or that a rollback may need, is ever among
    it. While a record cannot be read, no model and no environment is removed, as it may name any.

    With --json: leftovers, each with kind, where, bytes and removed; bytes, of all of them; removed_bytes; and
    unreadable as `list --json` prints it.
    """
    from deployer.prune import Pruner

    session = session_of(ctx, as_json)
    pruner = Pruner(session.engine_deployer("prune"), unused_for * 60)
    found = pruner.found()
    if not session.as_json:
        _show(session, found)
    if found and not dry_run and not yes and not session.as_json and sys.stdin.isatty():
        typer.confirm("Remove all of it for good?", abort=True, err=True)
    removed = [] if dry_run else pruner.remove(found)
    if session.as_json:
        print_json(_shape(session, found, removed))
    elif found and not dry_run:
        say(f"Removed {len(removed)} of {len(found)}: {tables.size(_bytes(removed))} are free.", "green")


def _show(session: "Session", found: "Sequence[Leftover]") -> None:
    tables.print_unreadable(session.engine_deployer("prune").unreadable())
    if found:
        tables.print_leftovers(found)
    say(
        f"{len(found)} things that no record names, {tables.size(_bytes(found))}." if found else "Nothing is left over."
    )


def _shape(session: "Session", found: "Sequence[Leftover]", removed: "Sequence[Leftover]") -> dict[str, object]:
    return {
        "leftovers": [leftover_shape(one, one in removed) for one in found],
        "bytes": _bytes(found),
        "removed_bytes": _bytes(removed),
        "unreadable": unreadable_shape(session.engine_deployer("prune").unreadable()),
    }


def _bytes(leftovers: "Sequence[Leftover]") -> int:
    return sum(leftover.bytes for leftover in leftovers)
