"""The deployments.yaml that this package ships, and a copy of it in a user's folder."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import deployer
from deployer.errors import InvalidRequest

NAME = "deployments.yaml"


@dataclass(frozen=True)
class Named:
    """One deployment as the file names it."""

    name: str
    entrypoint: str
    work_pool: str


def shipped() -> str:
    """The text of the file."""
    return (Path(deployer.__path__[0]) / NAME).read_text(encoding="utf-8")


def deployments_in(text: str) -> list[Named]:
    """What a file of deployments names; nothing where it is no such file."""
    import yaml

    try:
        content = yaml.safe_load(text)
    except yaml.YAMLError:
        return []
    listed = content.get("deployments") if isinstance(content, dict) else None
    return [_named(one) for one in listed or [] if isinstance(one, dict)]


def checked(file: Path) -> str:
    """What shall be deployed from that place: the file's text, or the shipped one where there is none yet.

    Raises:
        InvalidRequest: it holds something else, which is left as it is, or the folder is none.
    """
    if not file.parent.is_dir():
        raise InvalidRequest(f"There is no folder {file.parent}.", hint="Make it, or name another with --folder.")
    text = _read(file)
    if text is None:
        return shipped()
    if left_out := {(o.name, o.entrypoint) for o in deployments_in(shipped())} - {
        (o.name, o.entrypoint) for o in deployments_in(text)
    }:
        names = ", ".join(sorted(name for name, _ in left_out))
        raise InvalidRequest(
            f"{file} is your own and lacks {names}; it was left as it is, and nothing was made.",
            hint="Name another folder for the shipped one: `model-deployer init --folder FOLDER`.",
        )
    return text


def put(file: Path) -> bool:
    """Whether the shipped file was put there; one that stands there already is never touched."""
    try:
        with file.open("x", encoding="utf-8") as new:
            new.write(shipped())
    except FileExistsError:
        return False
    except OSError as error:
        raise _not_usable(file, "written", error) from None
    return True


def _read(file: Path) -> str | None:
    try:
        return file.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _not_usable(file, "read", error) from None
    except UnicodeDecodeError:
        return ""


def _not_usable(file: Path, what: str, error: OSError) -> InvalidRequest:
    return InvalidRequest(
        f"{file} cannot be {what}: {error.strerror}.", hint="Name a folder of your own with --folder."
    )


def _named(one: dict[str, Any]) -> Named:
    pool = one.get("work_pool")
    return Named(
        name=str(one.get("name", "")),
        entrypoint=str(one.get("entrypoint", "")),
        work_pool=str(pool.get("name", "")) if isinstance(pool, dict) else "",
    )
