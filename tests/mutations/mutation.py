"""One line changed on purpose, so that the code breaks a rule of the rollout protocol."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from deployer.testing import suite

MEMORY, PROCESS = "tests/conformance/test_memory.py", "tests/conformance/test_process.py"


class Rotten(Exception):
    """The line that a mutation changes is no longer in the code, or no longer the only one."""


@dataclass(frozen=True, kw_only=True)
class Mutation:
    """A rule, and the line without which it does not hold.

    Attributes:
        file: below the repository.
        old: what stands in the file exactly once: a part of one line, or of several of which one is changed.
        new: what stands there instead.
        seen_by: the tests of which at least one must turn red, by pytest's names.
        hangs: without the rule something waits for ever, so that a test which does not end has seen it.
    """

    rule: str
    file: str
    old: str
    new: str
    seen_by: tuple[str, ...]
    hangs: bool = False

    @property
    def seen_by_the_suite(self) -> bool:
        """Whether the conformance suite sees it, and not only the tests beside the code."""
        return all(test.startswith((MEMORY, PROCESS)) for test in self.seen_by)

    def applied_to(self, repository: Path) -> str:
        """The text of its file with the line changed.

        Raises:
            Rotten: the line is not there exactly once.
        """
        text = (repository / self.file).read_text(encoding="utf-8")
        if (count := text.count(self.old)) != 1:
            raise Rotten(f"{self.file} holds {count} times, not once: {self.old}")
        return text.replace(self.old, self.new)


def memory(*scenarios: int | str) -> tuple[str, ...]:
    """The scenarios of that number or name, on memory."""
    return _tests(MEMORY, scenarios)


def process(*scenarios: int | str) -> tuple[str, ...]:
    """The scenarios of that number or name, on processes."""
    return _tests(PROCESS, scenarios)


def _tests(module: str, scenarios: Sequence[int | str]) -> tuple[str, ...]:
    begins = tuple(f"test_{s:02}_" if isinstance(s, int) else f"test_{s}" for s in scenarios)
    found = [name for name in suite.__all__ if name.startswith(begins)]
    unknown = [begin for begin in begins if not any(name.startswith(begin) for name in found)]
    if unknown:
        raise Rotten(f"the suite has no {', '.join(unknown)}")
    return tuple(f"{module}::{name}" for name in found)
