"""What a model says that it needs: its requirements.txt, and the files of the model that this one names."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import InvalidSdistFilename, InvalidWheelFilename, canonicalize_name
from packaging.utils import parse_sdist_filename as sdist
from packaging.utils import parse_wheel_filename as wheel

from deployer.errors import InvalidModel

REQUIREMENTS = "requirements.txt"
FILES = {"-r": "-r", "--requirement": "-r", "-c": "-c", "--constraint": "-c"}
EDITABLE = ("-e", "--editable")
PACKAGES = (".whl", ".tar.gz", ".zip")
SHORT = {"-i": "--index-url", "-f": "--find-links"}
COMMENT = re.compile(r"(^|\s)#.*$")
OWN_OPTIONS = re.compile(r"\s(?=--)")
LOGIN = re.compile(r"//(?!git@)((?!\$\{)[^/@\s])+@")
"""One that is written out; what only names ${VARIABLE} shows nothing."""


@dataclass(frozen=True)
class Wanted:
    """One requirement of a model.

    Attributes:
        file: the distribution in the model that meets it, where it names one.
        hashes: as in `--hash`, one of which the distribution must have.
    """

    requirement: Requirement
    file: Path | None = None
    hashes: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return canonicalize_name(self.requirement.name)


@dataclass(frozen=True)
class Option:
    """A line that tells an installer where to look, and how."""

    name: str
    value: str = ""


@dataclass(frozen=True)
class Requirements:
    """All that a model asks for."""

    wanted: tuple[Wanted, ...] = ()
    constraints: tuple[Wanted, ...] = ()
    options: tuple[Option, ...] = ()

    def names(self, *names: str) -> bool:
        """Whether it asks for one of these."""
        return any(wanted.name in names for wanted in self.wanted)


def requirements_of(model: Path) -> Requirements | None:
    """What the model asks for; None where it has no requirements.txt.

    Raises:
        InvalidModel: a line cannot be followed.
    """
    if not (model / REQUIREMENTS).is_file():
        return None
    found = _Reader(model.resolve())
    found.read(found.model / REQUIREMENTS, found.wanted)
    return Requirements(tuple(found.wanted), tuple(found.constraints), tuple(found.options))


class _Reader:
    """Follows each file once."""

    def __init__(self, model: Path) -> None:
        self.model = model
        self.wanted: list[Wanted] = []
        self.constraints: list[Wanted] = []
        self.options: list[Option] = []
        self._read: set[tuple[Path, bool]] = set()

    def read(self, file: Path, into: list[Wanted]) -> None:
        if (key := (file, into is self.constraints)) in self._read:
            return
        self._read.add(key)
        for line in _lines(file):
            try:
                self._take(line, file, into)
            except ValueError as error:
                where = file.relative_to(self.model)
                raise InvalidModel(
                    f"The line {_shown(line)!r} of the model's {where} cannot be followed: {error}.",
                    hint="Correct the line and save the model again; or deploy with `environment: unchecked`.",
                ) from None

    def _take(self, line: str, file: Path, into: list[Wanted]) -> None:
        if LOGIN.search(line):
            _refuse("it holds a login; name an index that asks for one in UV_INDEX, where the deployer runs")
        if line.startswith("-"):
            self._take_option(line, file, into)
        else:
            into.append(self._requirement(line, file))

    def _take_option(self, line: str, file: Path, into: list[Wanted]) -> None:
        name, value = _option(line)
        if name in EDITABLE:
            _refuse("what is installed from a folder is no part of the model; name a wheel in the model, or a version")
        elif name in FILES:
            constrains = FILES[name] == "-c"
            self.read(self._inside(value, file), self.constraints if constrains else into)
        elif name == "--find-links" and "://" not in value:
            self.options.append(Option(name, str(self._inside(value, file))))
        else:
            self.options.append(Option(name, value))

    def _requirement(self, line: str, file: Path) -> Wanted:
        text, *options = OWN_OPTIONS.split(line)
        if unknown := [option for option in options if not option.startswith("--hash")]:
            _refuse(f"{unknown[0].split('=')[0]} cannot be had for one requirement")
        hashes = tuple(sorted(_option(option)[1] for option in options))
        if "@" not in text and text.strip().endswith(PACKAGES):  # It would be a name too.
            return self._distribution(text.strip(), file, hashes)
        try:
            return Wanted(Requirement(text.strip()), hashes=hashes)
        except InvalidRequirement:
            return self._distribution(text.strip(), file, hashes)

    def _distribution(self, text: str, file: Path, hashes: tuple[str, ...]) -> Wanted:
        """A file of the model that is a package."""
        if "://" in text:
            _refuse("write a URL as NAME @ URL")
        name, version = _name_and_version(Path(text).name)
        return Wanted(Requirement(f"{name}=={version}"), self._inside(text, file), hashes)

    def _inside(self, place: str, file: Path) -> Path:
        if "://" in place:
            _refuse("it is not in the model")
        path = (file.parent / place).resolve()
        if not path.is_relative_to(self.model):
            _refuse("it leads out of the model")
        if not path.exists():
            _refuse(f"there is no {path.relative_to(self.model)} in the model")
        return path


def _lines(file: Path) -> Iterator[str]:
    """As they are meant: continued ones joined, comments removed."""
    try:
        text = file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError):
        raise InvalidModel(f"The model's {file.name} is no text.", hint="Save it as UTF-8.") from None
    for line in re.sub(r"\\\r?\n", " ", text).splitlines():
        if meant := COMMENT.sub("", line).strip():
            yield meant


def _option(line: str) -> tuple[str, str]:
    """Its name and value, written `--name=value`, `--name value` or `-nvalue`."""
    words = shlex.split(line)
    if words[0].startswith("--"):
        name, _, value = words[0].partition("=")
    else:
        name, value = words[0][:2], words[0][2:].removeprefix("=")
    return SHORT.get(name, name), " ".join([value, *words[1:]]).strip()


def _name_and_version(file_name: str) -> tuple[str, str]:
    try:
        name, version = wheel(file_name)[:2] if file_name.endswith(".whl") else sdist(file_name)
    except (InvalidWheelFilename, InvalidSdistFilename):
        _refuse("it is neither a requirement, as in scikit-learn>=1.5, nor a package in the model")
    return name, str(version)


def _shown(line: str) -> str:
    return LOGIN.sub("//***@", line)


def _refuse(why: str) -> NoReturn:
    raise ValueError(why)
