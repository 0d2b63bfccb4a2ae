"""What is installed in this interpreter, beside what a model asks for."""

import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import Distribution, distributions

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from deployer.environments.requirements import Requirements, Wanted

MET_BY = {"mlflow": "mlflow-skinny"}
"""What does in place of a package that is not installed: the same, without what serving a model does not need."""


@dataclass(frozen=True)
class Mismatch:
    """One requirement that is not met.

    Attributes:
        wanted: the requirement, as its installer takes it.
        installed: the version that is there; empty where none is.
        by: whose requirement it is; empty for the model's own.
    """

    name: str
    wanted: str
    installed: str
    by: str = ""

    def __str__(self) -> str:
        is_there = f"installed is {self.installed}" if self.installed else "it is not installed"
        return f"{self.wanted}{f' (for {self.by})' if self.by else ''}: {is_there}"


def mismatches(requirements: Requirements) -> list[Mismatch]:
    """What of a model's requirements is not met by what is installed here."""
    here = Installed()
    found = [mismatch for wanted in requirements.wanted for mismatch in here.unmet(wanted.requirement)]
    reached = here.reached(requirements.wanted) if requirements.constraints else set()
    for constraint in requirements.constraints:
        if constraint.name in reached:
            found += here.unmet(constraint.requirement)
    return list(dict.fromkeys(found))


class Installed:
    """The distributions that a server started by this interpreter can import."""

    def __init__(self) -> None:
        self._path = _path_of_servers()
        self._found: dict[str, Distribution | None] = {}

    def unmet(self, requirement: Requirement, by: str = "", seen: frozenset[str] = frozenset()) -> Iterator[Mismatch]:
        """What of a requirement is not met, that of its extras included."""
        if not _applies(requirement, ("",)):
            return
        name, distribution = requirement.name, self.distribution(requirement.name)
        if distribution is None:
            yield Mismatch(name, str(requirement), "", by)
            return
        if not requirement.specifier.contains(distribution.version, prereleases=True):
            yield Mismatch(name, str(requirement), distribution.version, by)
        if requirement.extras and str(requirement) not in seen:
            for needed in _needed(distribution, tuple(requirement.extras), only_by_extras=True):
                yield from self.unmet(needed, str(requirement), seen | {str(requirement)})

    def reached(self, wanted: tuple[Wanted, ...]) -> set[str]:
        """The names of all that these requirements bring along, themselves included."""
        names, left = set[str](), [w.requirement for w in wanted if _applies(w.requirement, ("",))]
        done = set[str]()
        while left:
            requirement = left.pop()
            names.add(canonicalize_name(requirement.name))
            key = f"{canonicalize_name(requirement.name)}{sorted(requirement.extras)}"
            if key not in done and (distribution := self.distribution(requirement.name)):
                left += _needed(distribution, ("", *requirement.extras))
            done.add(key)
        return names

    def distribution(self, name: str) -> Distribution | None:
        """What is installed under that name, or what does in its place."""
        name = canonicalize_name(name)
        if name not in self._found:
            self._found[name] = next(iter(distributions(name=name, path=self._path)), None)
        found = self._found[name]
        return self.distribution(MET_BY[name]) if found is None and name in MET_BY else found


def _needed(distribution: Distribution, extras: tuple[str, ...], only_by_extras: bool = False) -> Iterator[Requirement]:
    """What a distribution needs, for these extras of it."""
    for line in distribution.requires or ():
        try:
            needed = Requirement(line)
        except InvalidRequirement:
            continue
        if _applies(needed, extras) and not (only_by_extras and _applies(needed, ("",))):
            needed.marker = None
            yield needed


def _applies(requirement: Requirement, extras: tuple[str, ...]) -> bool:
    return requirement.marker is None or any(requirement.marker.evaluate({"extra": extra}) for extra in extras)


def _path_of_servers() -> list[str]:
    """Where this interpreter finds modules by itself: no server has PYTHONPATH or the deployer's working directory."""
    added = {os.path.abspath(entry) for entry in os.environ.get("PYTHONPATH", "").split(os.pathsep) if entry}
    return [entry for entry in sys.path if entry and os.path.abspath(entry) not in added]
