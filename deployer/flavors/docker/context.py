"""What an image is built from: a Dockerfile, what the model requires, and where that comes from."""

import hashlib
import io
import json
import os
import tarfile
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.resources import files
from pathlib import Path
from typing import IO

from deployer.config import ModelServerConfig
from deployer.environments.definition import PRE_RELEASES, Definition
from deployer.environments.prepare import UNCHECKED
from deployer.environments.python_version import python_here, python_of
from deployer.environments.requirements import Option, Requirements, Wanted, requirements_of
from deployer.errors import InvalidModel
from deployer.flavors.docker.pip_settings import pip_files
from deployer.runtimes import runtime_of

DOCKERFILES = {"mlflow": "Dockerfile.mlflow"}
"""By runtime."""
REPOSITORY = "model-deployer"
VERSION = 1
INSIDE = "/build"
HASH_LENGTH = 32


@dataclass(frozen=True)
class Context:
    """All that decides what an image holds, but for its base and the day on which it is built.

    Attributes:
        python: what its Python must be, as in 3.11; empty: any.
        files: by their place, as bytes, or as files and folders of the model.
    """

    runtime: str
    python: str
    files: Mapping[str, bytes | Path]

    def tag(self, base: str) -> str:
        """The same for the same content.

        Args:
            base: the id of the image that it is built on.
        """
        digests = {place: _digest(content) for place, content in self.files.items()}
        content = json.dumps([VERSION, base, self.python, sorted(digests.items())])
        return f"{REPOSITORY}/{self.runtime}:{hashlib.sha256(content.encode()).hexdigest()[:HASH_LENGTH]}"

    def tar(self) -> IO[bytes]:
        """With the settings of the deployer's own pip, which may hold a login."""
        # It ends with its reader.
        content = tempfile.TemporaryFile()  # noqa: SIM115
        settings = {f"index/{name}": told for name, told in pip_files(os.environ, f"{INSIDE}/index").items()}
        with tarfile.open(fileobj=content, mode="w", dereference=True) as tar:
            for place, what in {**self.files, **settings}.items():
                if isinstance(what, Path):
                    tar.add(what, place)
                else:
                    member = tarfile.TarInfo(place)
                    member.size = len(what)
                    tar.addfile(member, io.BytesIO(what))
        content.seek(0)
        return content


def context_of(config: ModelServerConfig, model: Path) -> Context:
    """What the image of that model is built from.

    Raises:
        InvalidModel: what it requires cannot be read, or not be followed.
    """
    requirements = requirements_of(model)
    if requirements is None:
        raise InvalidModel(
            "The model has no requirements.txt, so no image can be built for it.",
            hint="Save its requirements beside it, in a file requirements.txt; or name an image that serves it.",
        )
    python = python_of(model)
    needs = runtime_of(config.runtime).needs(requirements, python or python_here())
    Definition(requirements, needs, python).check()
    definition = Definition(_placed(requirements, model.resolve()), needs, python)
    lines = [*([PRE_RELEASES] if definition.takes_pre_releases else []), *definition.lines]
    content: dict[str, bytes | Path] = {
        "Dockerfile": files(__package__).joinpath(DOCKERFILES[config.runtime]).read_bytes(),
        "requirements.txt": _text(lines),
        "constraints.txt": _text(definition.constraints),
        **{_place(path, model.resolve()): path for path in _paths(requirements)},
    }
    return Context(config.runtime, "" if config.environment == UNCHECKED else python, content)


def _placed(requirements: Requirements, model: Path) -> Requirements:
    """The same as it is where the image is built."""

    def placed(wanted: Wanted) -> Wanted:
        return replace(wanted, file=Path(INSIDE) / _place(wanted.file, model)) if wanted.file else wanted

    options = [
        replace(option, value=f"{INSIDE}/{_place(Path(option.value), model)}") if _is_local(option) else option
        for option in requirements.options
    ]
    return Requirements(
        tuple(map(placed, requirements.wanted)), tuple(map(placed, requirements.constraints)), tuple(options)
    )


def _paths(requirements: Requirements) -> Iterator[Path]:
    """The files and folders of the model that its requirements name."""
    yield from (wanted.file for wanted in (*requirements.wanted, *requirements.constraints) if wanted.file)
    yield from (Path(option.value) for option in requirements.options if _is_local(option))


def _is_local(option: Option) -> bool:
    return option.name == "--find-links" and "://" not in option.value


def _place(path: Path, model: Path) -> str:
    return f"model/{path.relative_to(model)}"


def _text(lines: Sequence[str]) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode()


def _digest(content: bytes | Path) -> str:
    if isinstance(content, bytes):
        return hashlib.sha256(content).hexdigest()
    if content.is_dir():
        told = [(str(path.relative_to(content)), _digest(path)) for path in content.rglob("*") if path.is_file()]
        return _digest(json.dumps(sorted(told)).encode())
    with content.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
