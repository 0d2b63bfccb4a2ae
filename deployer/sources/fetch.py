"""Brings a model's bytes here, wherever its URI says they are."""

import re
from collections.abc import Callable
from pathlib import Path

from deployer.errors import InvalidConfig
from deployer.sources import paths

Source = Callable[[str, Path], Path]
"""Copies the model at a URI into a folder; see `fetch` for what it returns and raises."""

SOURCES: dict[str, Source] = {"": paths.fetch_path, "file": paths.fetch_file_uri}
"""By the URI's scheme, in lower case; empty for a plain path."""

SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")


def fetch(uri: str, into: Path) -> Path:
    """Copy the model at a URI into a folder that is empty or does not exist.

    The content of a folder goes into `into` itself, a single file goes into it under its own name.

    Returns:
        The copied model: `into`, or the file in it.

    Raises:
        InvalidConfig: no URI that can be followed.
        ModelNotFound: nothing stands there.
        InvalidModel: what stands there cannot be copied whole.
        OSError: `into` cannot be written.
    """
    scheme = SCHEME.match(uri)
    source = SOURCES.get(scheme[1].lower() if scheme else "")
    if source is None:
        raise InvalidConfig(
            f"The model URI {uri!r} begins with a scheme that is not known.",
            hint=f"Give {_working()}; for a path with a colon in its first part, write ./ in front of it.",
        )
    return source(uri, into)


def _working() -> str:
    return " or ".join(["a local path", *(f"a {scheme}: URI" for scheme in SOURCES if scheme)])
