"""The long run: `python -m tests.soak [--kills N] [--freezes N] [--outages N] [--seed N] [part …]`; `make soak`."""

import argparse
import os
import re
import secrets
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

from deployer.testing.process import ProcessHarness
from tests.soak.figures import Figures
from tests.soak.ground import clear
from tests.soak.outages import Outages
from tests.soak.storm import Storm

LONGEST_S = 1800
FEWEST_EXAMPLES = 2000
Asked = argparse.Namespace


def storm(asked: Asked, figures: Figures) -> None:
    """Deployers are killed and frozen; no request fails."""
    with _ground(figures) as harness:
        Storm(harness, Random(asked.seed), figures, asked.kills, asked.freezes).rage()


def outages(asked: Asked, figures: Figures) -> None:
    """Servers and the gateway die too; all of it comes back."""
    with _ground(figures) as harness:
        Outages(harness, Random(asked.seed), figures).happen(asked.outages)


def any_order(asked: Asked, figures: Figures) -> None:
    """The stateful test, with its long profile."""
    said = _pytest(figures, "tests/stateful", "-rP", f"--hypothesis-seed={asked.seed}", HYPOTHESIS_PROFILE="long")
    figures.examples += sum(int(count) for count in re.findall(r"^examples: (\d+)$", said, re.MULTILINE))
    if figures.examples < FEWEST_EXAMPLES:
        figures.violations.append(f"only {figures.examples} examples were tried, of {FEWEST_EXAMPLES}")


def leaks(asked: Asked, figures: Figures) -> None:
    """300 revisions of one server, one after the other."""
    _pytest(figures, "tests/leaks", LEAK_REVISIONS="300")


PARTS: dict[str, Callable[[Asked, Figures], None]] = {
    "storm": storm,
    "outages": outages,
    "any-order": any_order,
    "leaks": leaks,
}


def main() -> int:
    """Print the figures; the exit code tells whether anything was wrong."""
    asked, figures, began = _asked(), Figures(), time.monotonic()
    print(f"seed {asked.seed}", flush=True)
    for name in asked.parts or PARTS:
        print(f"{name}: {PARTS[name].__doc__}", flush=True)
        PARTS[name](asked, figures)
    print("", *figures.lines(), f"{'seconds':<12}{time.monotonic() - began:>10,.0f}", "", sep="\n")
    print(*(f"{count:>6} {told}" for told, count in sorted(figures.told.items())), sep="\n")
    print(*(f"\nWRONG, {count} times: {wrong}" for wrong, count in Counter(figures.wrong).items()), sep="")
    return 1 if figures.wrong else 0


@contextmanager
def _ground(figures: Figures) -> Iterator[ProcessHarness]:
    with tempfile.TemporaryDirectory(prefix="soak-") as folder:
        harness = ProcessHarness(Path(folder))
        try:
            yield harness
        finally:
            figures.survivors += clear(harness)


def _pytest(figures: Figures, *selection: str, **environment: str) -> str:
    """What it said, which is printed too."""
    command = [sys.executable, "-m", "pytest", "-q", f"--timeout={LONGEST_S}", *selection]
    ran = subprocess.run(command, env=os.environ | environment, check=False, stdout=subprocess.PIPE, text=True)
    print(ran.stdout, flush=True)
    if ran.returncode:
        figures.violations.append(f"{' '.join(command)} failed")
    return ran.stdout


def _asked() -> Asked:
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="part", help=f"of {', '.join(PARTS)}; all without")
    parser.add_argument("--kills", type=int, default=200, help="deployers to kill in the storm")
    parser.add_argument("--freezes", type=int, default=200, help="deployers to freeze in the storm")
    parser.add_argument("--outages", type=int, default=30, help="deaths of servers and of the gateway")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10**6), help="of what is left to chance")
    asked = parser.parse_args()
    if unknown := set(asked.parts) - PARTS.keys():
        parser.error(f"no part is named {', '.join(sorted(unknown))}")
    return asked


if __name__ == "__main__":
    sys.exit(main())
