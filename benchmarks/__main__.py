"""Run all benchmarks, or those named: `python -m benchmarks startup gateway …`."""

import sys

from rich.console import Console
from rich.table import Table

from benchmarks import (
    deploys,
    environments,
    fetch,
    find,
    gateway,
    init,
    reconcile,
    replaces,
    running,
    startup,
    suite,
    traffic,
)

BENCHMARKS = {
    "startup": startup,
    "init": init,
    "gateway": gateway,
    "deploys": deploys,
    "environments": environments,
    "replaces": replaces,
    "find": find,
    "running": running,
    "reconcile": reconcile,
    "traffic": traffic,
    "fetch": fetch,
    "suite": suite,
}


def main(names: list[str]) -> int:
    """Print every figure beside its bar; the exit code tells whether all were reached."""
    if unknown := set(names) - BENCHMARKS.keys():
        print(f"No benchmark is named {', '.join(sorted(unknown))}; there are {', '.join(BENCHMARKS)}.")
        return 2
    table = Table("figure", "measured: median (least to most)", "bar", "reached")
    measured = [figure for name in names or BENCHMARKS for figure in BENCHMARKS[name].figures()]
    for figure in measured:
        table.add_row(figure.name, figure.measured, figure.target, "yes" if figure.reached else "NO")
    Console(width=None if sys.stdout.isatty() else 160).print(table)
    return 0 if all(figure.reached for figure in measured) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
