"""What a benchmark gives: figures, and the bar that each should reach."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """One measured figure.

    Attributes:
        measured: the figure, with its unit and spread.
        target: the bar, in words.
        reached: whether it was.
    """

    name: str
    measured: str
    target: str
    reached: bool


def compared_with(name: str, measured: str) -> Figure:
    """What other figures are measured beside; it has no bar."""
    return Figure(name, measured, "what it is compared with", True)


def at_most(name: str, values: list[float], bar: float, unit: str, factor: float = 1.0, digits: int = 1) -> Figure:
    """A figure whose median may be so much at most; the bar and the values in the same unit before the factor."""
    target = f"at most {bar * factor:g} {unit}"
    return Figure(name, spread(values, unit, factor, digits), target, median(values) <= bar)


def spread(values: list[float], unit: str, factor: float = 1.0, digits: int = 1) -> str:
    """Median, least and most of some values, in a unit."""
    ordered = sorted(value * factor for value in values)
    middle = ordered[len(ordered) // 2]
    return f"{middle:.{digits}f} {unit} (of {len(ordered)}: {ordered[0]:.{digits}f} to {ordered[-1]:.{digits}f})"


def median(values: list[float]) -> float:
    return sorted(values)[len(values) // 2]
