"""From a reference to a deployer: a flavor's name, or a Prefect Block's."""

import os
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from pydantic import BaseModel, ValidationError

from deployer.base import BaseModelDeployer
from deployer.errors import InvalidConfig, PrefectUnavailable, UnknownName

FLAVORS = "model_deployer.flavors"
OWN_PREFECT_SERVER = {
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "120",
}
"""For the server that Prefect starts by itself where none is configured: it phones nobody, and may be slow."""


def load(reference: str = "process", **settings: Any) -> BaseModelDeployer:
    """The deployer that a reference names.

    Args:
        reference: a flavor (`process`), or a Prefect Block (`process-model-deployer/prod`).
        settings: of the flavor; those of a Block stand in the Block.

    Raises:
        UnknownName: there is no such flavor or Block.
        InvalidConfig: the settings do not fit the flavor.
        PrefectUnavailable: a Block was named, and the Prefect server does not answer.
    """
    if "/" not in reference:
        return _of_flavor(reference, settings)
    if settings:
        raise InvalidConfig(
            f"{reference} is a Prefect Block; its settings stand there, so {', '.join(settings)} cannot be given here.",
            hint="Change the Block, or name a flavor instead.",
        )
    return _of_block(reference)


def flavors() -> dict[str, EntryPoint]:
    """The flavors that are installed, by name."""
    return {entry.name: entry for entry in entry_points(group=FLAVORS)}


def parse_settings(settings_type: type[BaseModel], flavor: str, settings: dict[str, Any]) -> BaseModel:
    """A flavor's settings, checked.

    Raises:
        InvalidConfig: naming each field that does not fit.
    """
    try:
        return settings_type.model_validate(settings)
    except ValidationError as error:
        raise InvalidConfig(
            f"These settings do not fit the flavor {flavor}: {in_words(error)}.",
            hint=f"It has these settings: {', '.join(settings_type.model_fields)}.",
        ) from None


def in_words(error: ValidationError) -> str:
    """Each field that a validation found wrong, and why; without the values, which may be secret."""
    wrong = (".".join(map(str, e["loc"])) + ": " + e["msg"].removeprefix("Value error, ") for e in error.errors())
    return "; ".join(text.removeprefix(": ") for text in wrong)


def _of_flavor(name: str, settings: dict[str, Any]) -> BaseModelDeployer:
    known = flavors()
    if name not in known:
        raise UnknownName(
            f"There is no flavor named {name!r}.",
            hint=f"Installed are: {', '.join(sorted(known)) or 'none'}. A Prefect Block is named type/name.",
        )
    try:
        flavor: Any = known[name].load()
    except ImportError as error:
        raise UnknownName(
            f"The flavor {name} is installed and cannot be imported: {error}.",
            hint="Install what it needs, or a version of it that fits.",
        ) from error
    deployer: BaseModelDeployer = flavor(parse_settings(flavor.SETTINGS, name, settings))
    return deployer


def _of_block(reference: str) -> BaseModelDeployer:
    for variable, value in OWN_PREFECT_SERVER.items():
        os.environ.setdefault(variable, value)
    import httpx
    from prefect.blocks.core import Block

    try:
        load_block: Any = Block.load
        block = load_block(reference, _sync=True)
    except ValueError as error:
        raise UnknownName(
            f"There is no Prefect Block named {reference!r}.",
            hint="`prefect block ls` shows those that there are; a Block is named type/name.",
        ) from error
    except (httpx.HTTPError, RuntimeError) as error:
        raise PrefectUnavailable(
            f"The Block {reference} cannot be loaded: the Prefect server does not answer ({type(error).__name__}).",
            serving="What serves goes on serving; it needs no Prefect server.",
            hint="Start it (`prefect server start`), or set PREFECT_API_URL to where it is.",
        ) from error
    if not hasattr(block, "get_deployer"):
        raise UnknownName(
            f"The Prefect Block {reference} is no model deployer.",
            hint="Name one whose type ends in Model Deployer.",
        )
    deployer: BaseModelDeployer = block.get_deployer()
    return deployer
