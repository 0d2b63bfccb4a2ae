"""What a soak counts, and what it finds wrong."""

from collections import Counter
from dataclasses import dataclass, field, fields


@dataclass
class Figures:
    """All that is counted.

    Attributes:
        examples: runs of any operations in any order.
        failed: requests that should not have, and did.
        excused: requests that failed while a server or the gateway was dead.
        survivors: processes and files that should be gone.
        violations: what must hold and did not, in words.
        untruths: what callers were told and should not have been.
        told: how often callers were told what.
    """

    kills: int = 0
    freezes: int = 0
    outages: int = 0
    requests: int = 0
    examples: int = 0
    failed: list[str] = field(default_factory=list)
    excused: int = 0
    survivors: list[str] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)
    untruths: list[str] = field(default_factory=list)
    told: Counter[str] = field(default_factory=Counter)

    @property
    def wrong(self) -> list[str]:
        """Whatever makes the soak fail."""
        return [*self.failed, *self.survivors, *self.violations, *self.untruths]

    @property
    def progress(self) -> str:
        """So far, in a line."""
        return ", ".join(f"{name} {count:,}" for name, count in self._counted().items())

    def lines(self) -> list[str]:
        """Each figure with its name; of a list its length."""
        return [f"{name:<12}{count:>10,}" for name, count in self._counted().items()]

    def _counted(self) -> dict[str, int]:
        values = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "told"}
        return {name: len(value) if isinstance(value, list) else value for name, value in values.items()}
