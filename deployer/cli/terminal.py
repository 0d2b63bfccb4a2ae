"""Writing for people: tables and coloured lines on a terminal, whole plain lines anywhere else; and JSON."""

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

BETWEEN = 2
STATE_STYLES = {
    "ready": "green",
    "pending": "yellow",
    "degraded": "yellow",
    "failed": "bold red",
    "stopped": "dim",
    "unknown": "magenta",
    "served": "green",
    "refused": "bold red",
}


def style_of_state(text: str) -> str:
    """How a state, or an outcome, with or without its message is coloured."""
    return STATE_STYLES.get(text.partition(":")[0], "")


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Attributes:
        drop: where a terminal is too narrow, columns are left out, the highest first; 0: never.
        at_most: how many characters of a cell a terminal shows; 0: all.
    """

    title: str
    drop: int = 0
    at_most: int = 0
    style_of: Callable[[str], str] | None = None

    def shortened(self, cell: str) -> str:
        return cell[: self.at_most - 1] + "…" if 0 < self.at_most < len(cell) else cell


def print_json(content: Any) -> None:
    print(json.dumps(content, default=str))


def say(text: str, style: str = "", *, stderr: bool = False) -> None:
    """One line, coloured on a terminal, never wrapped by us."""
    stream = sys.stderr if stderr else sys.stdout
    if not stream.isatty():
        print(text, file=stream)
        return
    console(stderr).print(text, style=style or None, markup=False, highlight=False, soft_wrap=True)


def print_fields(fields: dict[str, str]) -> None:
    """One `name: value` a line, the values below one another."""
    width = max(map(len, fields)) + 1
    for name, value in fields.items():
        say(f"{name + ':':<{width}} {value}", style_of_state(value) if name == "state" else "")


def print_table(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> None:
    """On a terminal as much as fits its width; elsewhere every column, whole, `-` where there is nothing."""
    cells = [[_one_line(cell) for cell in row] for row in rows]
    if is_terminal():
        _print_rich(columns, cells)
    else:
        _print_plain(columns, cells)


def is_terminal() -> bool:
    """Whether people read along."""
    return sys.stdout.isatty()


def console(stderr: bool = False) -> "Console":
    from rich.console import Console

    return Console(stderr=stderr)


def _one_line(cell: str) -> str:
    return " ".join(cell.split()) or "-"


def _print_plain(columns: Sequence[Column], rows: list[list[str]]) -> None:
    lines = [[column.title.upper() for column in columns], *rows]
    widths = [max(map(len, cells)) for cells in zip(*lines, strict=True)]
    for line in lines:
        padded = (f"{cell:<{width}}" for cell, width in zip(line, widths, strict=True))
        print((" " * BETWEEN).join(padded).rstrip())


def table_of(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> "Table":
    """As much of them as fits the terminal's width."""
    return _fitted(columns, [[_one_line(cell) for cell in row] for row in rows])[0]


def _print_rich(columns: Sequence[Column], rows: list[list[str]]) -> None:
    table, left_out = _fitted(columns, rows)
    console().print(table)
    if left_out:
        say(f"Too narrow for: {', '.join(left_out)}. A wider terminal, a pipe and --json show them.", "dim")


def _fitted(columns: Sequence[Column], rows: list[list[str]]) -> "tuple[Table, list[str]]":
    """A table that fits the terminal, and the titles of the columns that do not."""
    from rich.table import Table
    from rich.text import Text

    shown = [[column.shortened(cell) for column, cell in zip(columns, row, strict=True)] for row in rows]
    kept = _fitting(columns, shown, console().width)
    table = Table(box=None, padding=(0, BETWEEN, 0, 0), pad_edge=False, header_style="bold")
    for index in kept:
        table.add_column(columns[index].title.upper(), overflow="fold")
    for row in shown:
        table.add_row(*(Text(row[i], style=_style(columns[i], row[i])) for i in kept))
    return table, [column.title for index, column in enumerate(columns) if index not in kept]


def _style(column: Column, cell: str) -> str:
    return column.style_of(cell) if column.style_of else ""


def _fitting(columns: Sequence[Column], rows: list[list[str]], width: int) -> list[int]:
    from rich.cells import cell_len

    needed = [
        max(cell_len(cell) for cell in (column.title, *(row[index] for row in rows))) + BETWEEN
        for index, column in enumerate(columns)
    ]
    kept = list(range(len(columns)))
    while sum(needed[i] for i in kept) - BETWEEN > width and any(columns[i].drop for i in kept):
        kept.remove(max(kept, key=lambda i: columns[i].drop))
    return kept
