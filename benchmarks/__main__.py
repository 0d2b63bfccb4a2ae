"""Run all benchmarks, or those named: `python -m benchmarks startup gateway …`."""

import sys
from collections.abc import Callable

from rich.console import Console
from rich.table import Table

from benchmarks import (
    deploys,
    environments,
    fetch,
    find,
    gateway,
    init,
    on_docker,
    reconcile,
    replaces,
    running,
    startup,
    suite,
    traffic,
)
from benchmarks.figure import Figure

BENCHMARKS: dict[str, Callable[[], list[Figure]]] = {
    "startup": startup.figures,
    "init": init.figures,
    "gateway": gateway.figures,
    "deploys": deploys.figures,
    "environments": environments.figures,
    "replaces": replaces.figures,
    "find": find.figures,
    "running": running.figures,
    "reconcile": reconcile.figures,
    "traffic": traffic.figures,
    "fetch": fetch.figures,
    "suite": suite.figures,
    "docker-replaces": on_docker.of_replaces,
    "docker-deploys": on_docker.of_deploys,
    "docker-find": on_docker.of_find,
    "docker-registry": on_docker.of_registry,
}


def main(names: list[str]) -> int:
    """Print every figure beside its bar; the exit code tells whether all were reached."""
    if unknown := set(names) - BENCHMARKS.keys():
        print(f"No benchmark is named {', '.join(sorted(unknown))}; there are {', '.join(BENCHMARKS)}.")
        return 2
    table = Table("figure", "measured: median (least to most)", "bar", "reached")
    measured = [figure for name in names or BENCHMARKS for figure in BENCHMARKS[name]()]
    for figure in measured:
        table.add_row(figure.name, figure.measured, figure.target, "yes" if figure.reached else "NO")
    Console(width=None if sys.stdout.isatty() else 160).print(table)
    return 0 if all(figure.reached for figure in measured) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
