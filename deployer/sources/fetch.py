"""Brings a model's bytes here, wherever its URI says they are."""

import re
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

from deployer.errors import InvalidConfig
from deployer.sources import paths
from deployer.sources.remote import Remote
from deployer.sources.watch import Watch

LocalSource = Callable[[str, Path, Watch], Path]
"""Copies the model at a URI into a folder; see `fetch` for what it returns and raises."""

LOCAL: dict[str, LocalSource] = {"": paths.fetch_path, "file": paths.fetch_file_uri}
"""By the URI's scheme, in lower case; empty for a plain path."""

REMOTE = {
    "http": "web",
    "https": "web",
    "s3": "s3",
    "gs": "gs",
    "az": "az",
    "hf": "hf",
    "models": "tracking",
    "runs": "tracking",
}
"""The module of `deployer.sources` that looks at URIs of a scheme; imported in a process of its own."""

SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")


def is_remote(uri: str) -> bool:
    """Whether somebody else than this machine's file system has to be asked for it."""
    return _scheme(uri) in REMOTE


def look(uri: str) -> Remote:
    """Ask a remote URI's source what stands there, and fetch nothing yet.

    Raises:
        InvalidConfig: no URI that can be followed.
        Unsupported: what reads such URIs is not installed.
        ModelNotFound: nothing stands there.
        AccessDenied: the credentials do not suffice.
        SourceUnavailable: its source does not answer.
    """
    source = import_module(f"deployer.sources.{REMOTE[_scheme(uri)]}")
    remote: Remote = source.look(uri)
    return remote


def fetch(uri: str, into: Path, watch: Watch | None = None) -> Path:
    """Copy the model at a local URI into a folder that is empty or does not exist.

    The content of a folder goes into `into` itself, a single file goes into it under its own name.

    Returns:
        The copied model: `into`, or the file in it.

    Raises:
        InvalidConfig: no URI that can be followed.
        ModelNotFound: nothing stands there.
        InvalidModel: what stands there cannot be copied whole.
        RolloutTimeout: the time is over.
        OSError: `into` cannot be written.
    """
    source = LOCAL.get(_scheme(uri))
    if source is None:
        raise InvalidConfig(
            f"The model URI {uri!r} begins with a scheme that is not known.",
            hint=f"Give {_working()}; for a path with a colon in its first part, write ./ in front of it.",
        )
    return source(uri, into, watch or Watch())


def _scheme(uri: str) -> str:
    match = SCHEME.match(uri)
    return match[1].lower() if match else ""


def _working() -> str:
    return " or ".join(["a local path", *(f"a {scheme}: URI" for scheme in (*LOCAL, *REMOTE) if scheme)])
