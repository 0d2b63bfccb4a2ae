"""Which Python a model was made with, as MLflow writes it down."""

import platform
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from deployer.errors import InvalidModel

PINNED = re.compile(r"python\s*={1,3}\s*([0-9]+\.[0-9]+)")
VERSION = re.compile(r"[0-9]+\.[0-9]+")


def python_of(model: Path) -> str:
    """The version, major and minor, as in 3.11; empty where the model says nothing.

    Raises:
        InvalidModel: the file that says it is no YAML.
    """
    return next(filter(None, (found for name, read in _READ.items() for found in read(_content(model / name)))), "")


def python_here() -> str:
    """That of this interpreter."""
    return ".".join(platform.python_version_tuple()[:2])


def _of_python_env(content: Any) -> Iterator[str]:
    if isinstance(content, dict) and (found := VERSION.match(str(content.get("python", "")))):
        yield found[0]


def _of_conda(content: Any) -> Iterator[str]:
    dependencies = content.get("dependencies") if isinstance(content, dict) else None
    for dependency in dependencies if isinstance(dependencies, list) else []:
        if isinstance(dependency, str) and (found := PINNED.match(dependency)):
            yield found[1]


_READ = {"python_env.yaml": _of_python_env, "conda.yaml": _of_conda}


def _content(file: Path) -> Any:
    import yaml  # only a deploy reads models

    try:
        # As text: 3.10 is no number.
        return yaml.load(file.read_text(), Loader=yaml.BaseLoader)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (yaml.YAMLError, UnicodeDecodeError):
        raise InvalidModel(f"The model's file {file.name} is no YAML.", hint="Save the model again.") from None
