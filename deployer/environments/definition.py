"""What an isolated environment holds: the model's requirements and those of its runtime."""

import hashlib
import json
import re
import sysconfig
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement

from deployer.environments.installed import MET_BY
from deployer.environments.requirements import Requirements, Wanted
from deployer.errors import InvalidModel

VERSION = 1
PRE_RELEASES = "--pre"
VARIABLE = re.compile(r"\$\{[A-Z0-9_]+\}")
"""As installers know them."""
KNOWN = frozenset(
    {"--index-url", "--extra-index-url", "--find-links", "--no-index", "--no-binary", "--only-binary", PRE_RELEASES}
)
NO_MATTER = frozenset({"--prefer-binary", "--require-hashes", "--use-feature"})
"""What changes nothing of what is installed in the end."""


@dataclass(frozen=True)
class Definition:
    """All that decides what is installed, but for when.

    Attributes:
        python: the interpreter's version, as in 3.11.
        needs: the runtime's own requirements; one that does in place of a model's takes that one's place.
    """

    requirements: Requirements
    needs: Sequence[str]
    python: str

    @cached_property
    def key(self) -> str:
        """64 hex digits, the same for the same content, whatever its order and writing."""
        content = {
            "version": VERSION,
            "python": self.python,
            "platform": sysconfig.get_platform(),
            "requirements": sorted({_identity(wanted) for wanted in self._wanted()}),
            "constraints": sorted({_identity(wanted) for wanted in self.requirements.constraints}),
            "options": [*self._options(), self.takes_pre_releases],
        }
        return hashlib.sha256(json.dumps(content).encode()).hexdigest()

    @property
    def lines(self) -> list[str]:
        """The lines of a file that an installer reads."""
        return [*self._options(), *sorted({_line(wanted) for wanted in self._wanted()})]

    @property
    def constraints(self) -> list[str]:
        """The lines of a file of constraints."""
        return sorted({_line(wanted) for wanted in self.requirements.constraints})

    @property
    def takes_pre_releases(self) -> bool:
        return any(option.name == PRE_RELEASES for option in self.requirements.options)

    def check(self) -> None:
        """See that an installer can follow it.

        Raises:
            InvalidModel: the model tells it something that it does not know, or speaks of variables.
        """
        self._require_no_variables()
        for option in self.requirements.options:
            if option.name not in KNOWN | NO_MATTER:
                raise InvalidModel(
                    f"The model's requirements hold the option {option.name}, which uv does not take from a model.",
                    hint="Set it where the deployer runs, as a variable UV_… or PIP_…, and save the model without it.",
                )

    def _require_no_variables(self) -> None:
        """What stands in the deployer's environment is not a model's to send to a host of its choice."""
        asked = [*self.requirements.wanted, *self.requirements.constraints]
        places = [option.value for option in self.requirements.options] + [w.requirement.url or "" for w in asked]
        if found := next(filter(None, map(VARIABLE.search, places)), None):
            raise InvalidModel(
                f"The model's requirements speak of {found[0]}, and no variable is put in for a model.",
                hint="Name an index that asks for a login in UV_INDEX or UV_DEFAULT_INDEX where the deployer runs, and "
                "save the model without it.",
            )

    def describe(self) -> dict[str, Any]:
        """For people who look into the environment's folder."""
        return {"python": self.python, "requirements": self.lines, "constraints": self.constraints}

    def _options(self) -> list[str]:
        options = (option for option in self.requirements.options if option.name in KNOWN - {PRE_RELEASES})
        return [f"{option.name} {option.value}".strip() for option in options]

    def _wanted(self) -> Iterator[Wanted]:
        needed = [Wanted(Requirement(need)) for need in self.needs]
        names = {wanted.name for wanted in needed}
        yield from needed
        yield from (wanted for wanted in self.requirements.wanted if MET_BY.get(wanted.name) not in names)


def _line(wanted: Wanted) -> str:
    text = f"{wanted.name} @ {wanted.file.as_uri()}" if wanted.file else _text(wanted)
    return " ".join([text, *(f"--hash={value}" for value in wanted.hashes)])


def _identity(wanted: Wanted) -> str:
    """As its line, but for where the file of a model lies."""
    return f"{wanted.name} {_sha256(wanted.file)}" if wanted.file else _line(wanted)


def _text(wanted: Wanted) -> str:
    requirement = wanted.requirement
    extras = f"[{','.join(sorted(requirement.extras))}]" if requirement.extras else ""
    place = f" @ {requirement.url} " if requirement.url else str(requirement.specifier)
    marker = f"; {requirement.marker}" if requirement.marker else ""
    return f"{wanted.name}{extras}{place}{marker}"


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
