"""A deployer's steps, shown while they are carried out, on stderr."""

import contextlib
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from deployer.rollout.steps import NowAndThen, OnProgress, Progress, Step

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult

WORTH_TELLING_S = 1.0
REFRESHES_A_SECOND = 10


@contextlib.contextmanager
def shown() -> Iterator[OnProgress]:
    """What to tell of each step: a live list on a terminal, a line as each begins elsewhere."""
    if not sys.stderr.isatty():
        yield NowAndThen(_print)
        return
    from rich.live import Live

    from deployer.cli.terminal import console

    steps = LiveSteps()
    with Live(steps, console=console(stderr=True), refresh_per_second=REFRESHES_A_SECOND):
        try:
            yield steps.tell
        finally:
            steps.over = True


def _print(progress: Progress) -> None:
    step, seconds = progress.step, progress.seconds
    if progress.detail:
        print(f"{progress.server}: {step}: {progress.detail}", file=sys.stderr, flush=True)
    elif seconds is None:
        print(f"{progress.server}: {step}: {step.cause}", file=sys.stderr, flush=True)
    elif seconds >= WORTH_TELLING_S:
        print(f"{progress.server}: {step}: done after {seconds:.1f} s", file=sys.stderr, flush=True)


@dataclass
class Line:
    """One step of one server, how it goes, and how long it took; None while it goes on."""

    server: str
    step: Step
    seconds: float | None = None
    detail: str = ""


class LiveSteps:
    """Every step so far, as rich draws it; told of steps from several threads."""

    def __init__(self) -> None:
        from rich.spinner import Spinner

        self.over = False
        self._lines: list[Line] = []
        self._lock = threading.Lock()
        self._spinner = Spinner("dots")

    def tell(self, progress: Progress) -> None:
        with self._lock:
            if progress.seconds is None and not progress.detail:
                self._lines.append(Line(progress.server, progress.step))
                return
            for line in reversed(self._lines):
                if (line.server, line.step, line.seconds) == (progress.server, progress.step, None):
                    line.seconds, line.detail = progress.seconds, progress.detail
                    return

    def __rich_console__(self, console: "Console", options: "ConsoleOptions") -> "RenderResult":
        from rich.table import Table
        from rich.text import Text

        with self._lock:
            lines = [replace(line) for line in self._lines]
        table = Table.grid(padding=(0, 2, 0, 0))
        for line in lines[-(options.max_height - 1) :]:
            done = line.seconds is not None
            mark = Text("✓", "green") if done else Text("✗", "red") if self.over else self._spinner
            took = f"{line.seconds:.1f} s" if done else ""
            subject, action = str(line.step.ref or line.server), str(line.step.action)
            table.add_row(mark, Text(subject), Text(action), Text(line.detail or line.step.cause), took)
        yield table
