"""From a reference to a deployer: a flavor's name, or a Prefect Block's."""

from importlib.metadata import EntryPoint, entry_points
from typing import Any

from pydantic import BaseModel, ValidationError

from deployer.base import BaseModelDeployer
from deployer.errors import InvalidConfig, UnknownName
from deployer.prefect_block import load_block

FLAVORS = "model_deployer.flavors"


def load(reference: str = "process", **settings: Any) -> BaseModelDeployer:
    """The deployer that a reference names.

    Args:
        reference: a flavor (`process`), or a Prefect Block (`process-model-deployer/prod`).
        settings: of the flavor; those of a Block stand in the Block.

    Raises:
        UnknownName: there is no such flavor or Block.
        InvalidConfig: the settings do not fit the flavor.
        PrefectUnavailable, DeployerError: a Block was named, and the Prefect server does not answer, or refuses.
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
    block = load_block(reference)
    if not hasattr(block, "get_deployer"):
        raise UnknownName(
            f"The Prefect Block {reference} is no model deployer.",
            hint="Name one whose type ends in Model Deployer.",
        )
    deployer: BaseModelDeployer = block.get_deployer()
    return deployer
