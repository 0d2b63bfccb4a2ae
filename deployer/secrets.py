"""From references to secrets, at the last moment; the secrets themselves are never kept, logged or shown."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from deployer.errors import DeployerError, PrefectUnavailable, SecretUnresolved
from deployer.prefect_block import load_block

LOOK_FOR_IT = "See with `prefect block inspect` what the Block is, and that its type is installed here."


def resolve(secrets: Mapping[str, str]) -> dict[str, str]:
    """The secrets that references lead to, by the environment variable that shall hold each.

    Args:
        secrets: `env:NAME`, `file:/path` (the content without its last line end) or `prefect:block-type/name`,
            by variable.

    Raises:
        SecretUnresolved: a reference leads nowhere, or to what no environment variable can hold.
        PrefectUnavailable: it leads to a Prefect server that does not answer.
    """
    return {variable: _resolve(variable, reference) for variable, reference in secrets.items()}


def resolved(purpose: str, reference: str) -> str:
    """The secret that one reference leads to.

    Args:
        purpose: what it is for, in words.

    Raises:
        SecretUnresolved: it leads nowhere.
        PrefectUnavailable: it leads to a Prefect server that does not answer.
    """
    return _resolve(purpose, reference)


class _DeadEnd(Exception):
    """Why a reference leads nowhere, and what to do about it."""

    def __init__(self, why: str, hint: str) -> None:
        super().__init__(why)
        self.hint = hint


def _resolve(variable: str, reference: str) -> str:
    scheme, _, rest = reference.partition(":")
    if scheme not in _RESOLVERS:
        # Without its text: it may be the secret itself, in place of a reference.
        what = f"The secret for {variable} cannot be resolved: that is no reference of a known kind."
        raise SecretUnresolved(what, hint=f"Use one of {', '.join(f'{known}:…' for known in _RESOLVERS)}.")
    try:
        value = _RESOLVERS[scheme](rest)
        if "\0" in value:
            raise _DeadEnd("what it leads to holds a NUL character", "Store the secret as text.")
        return value
    except _DeadEnd as end:
        # `from None`: what failed underneath could carry the secret.
        what = f"The secret for {variable} cannot be resolved from {reference!r}: {end}."
        raise SecretUnresolved(what, hint=end.hint) from None
    except PrefectUnavailable as error:
        what = f"The secret for {variable} cannot be resolved from {reference!r}: {error.what}"
        raise PrefectUnavailable(what, serving=error.serving, hint=error.hint) from None


def _from_environment(name: str) -> str:
    try:
        return os.environ[name]
    except KeyError:
        raise _DeadEnd("no such variable is set", f"Set {name} where the deployer runs.") from None


def _from_file(name: str) -> str:
    try:
        text = Path(name).read_bytes().decode()
    except OSError as error:
        raise _DeadEnd(
            error.strerror or type(error).__name__, "Make the file readable where the deployer runs."
        ) from None
    except UnicodeDecodeError:
        raise _DeadEnd("the file is not UTF-8 text", "Store the secret as text.") from None
    return text.removesuffix("\n").removesuffix("\r")


def _from_prefect(slug: str) -> str:
    try:
        value = _secret_in(load_block(slug))
    except PrefectUnavailable:
        raise
    except DeployerError as error:
        raise _DeadEnd(error.what.removesuffix("."), error.hint) from None
    except Exception as error:
        raise _DeadEnd(f"Prefect failed ({type(error).__name__})", LOOK_FOR_IT) from None
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, str):
        raise _DeadEnd("the block holds no text", "Store the secret in a block of the type Secret.")
    return value


def _secret_in(block: Any) -> Any:
    # Before `get`: a Secret block's own reads "007" as a number.
    for holder in (getattr(block, "value", None), block):
        if callable(reveal := getattr(holder, "get_secret_value", None)):
            return reveal()
    get = getattr(block, "get", None)
    return get() if callable(get) else None


def _from_kubernetes(_: str) -> str:
    raise _DeadEnd(
        "Kubernetes secrets reach only servers that run on Kubernetes",
        "Use an env:, file: or prefect: reference here.",
    )


_RESOLVERS: dict[str, Callable[[str], str]] = {
    "env": _from_environment,
    "file": _from_file,
    "prefect": _from_prefect,
    "kubernetes": _from_kubernetes,
}
