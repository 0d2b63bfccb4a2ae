"""Amounts in words."""

STEP, UNITS = 1000, ("B", "kB", "MB", "GB", "TB", "PB")


def size_in_words(count: int) -> str:
    """So many bytes, in the unit that leaves fewest digits."""
    power = next((power for power in range(len(UNITS)) if round(count / STEP**power, 1) < STEP), len(UNITS) - 1)
    return f"{count / STEP**power:.1f} {UNITS[power]}" if power else f"{count} B"
