"""A flavor's settings from the environment and from `--set`."""

from collections.abc import Iterable, Mapping
from typing import Any

from deployer.errors import InvalidRequest

PREFIX = "MODEL_DEPLOYER_"


def settings_of(reference: str, assignments: Iterable[str], environment: Mapping[str, str]) -> dict[str, Any]:
    """The settings given for a deployer, as text; `--set` outranks the environment.

    A Prefect Block keeps its own settings, so the environment does not apply to it.

    Raises:
        InvalidRequest: an assignment is none.
    """
    return _from_environment(reference, environment) | assigned(assignments, "--set")


def assigned(assignments: Iterable[str], option: str) -> dict[str, str]:
    """`key=value` pairs as a dictionary.

    Raises:
        InvalidRequest: one of them has no `=`, or no key.
    """
    pairs = {}
    for assignment in assignments:
        key, equals, value = assignment.partition("=")
        if not (key and equals):
            # Without its text: it may be a secret whose `KEY=` was forgotten.
            raise InvalidRequest(f"What follows {option} is not KEY=VALUE.", hint=f"Write {option} KEY=VALUE.")
        pairs[key] = value
    return pairs


def _from_environment(reference: str, environment: Mapping[str, str]) -> dict[str, str]:
    from deployer.references import flavors

    entry = flavors().get(reference)
    if entry is None:
        return {}
    names = {field: PREFIX + field.upper() for field in entry.load().SETTINGS.model_fields}
    return {field: environment[name] for field, name in names.items() if environment.get(name)}
