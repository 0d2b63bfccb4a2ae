"""docs/configuration.md, made from the models: `python -m tests.docs.reference` writes it anew."""

import json
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer
from pydantic import BaseModel

from deployer.cli.main import app
from deployer.cli.settings import PREFIX
from deployer.config import ModelServerConfig
from deployer.references import flavors

PAGE = Path(__file__).parents[2] / "docs" / "configuration.md"
HEAD = """\
# Configuration

<!-- Made by `python -m tests.docs.reference` from the models: change the fields' descriptions, then run it. -->

What a user writes down: the [config](#the-config) of a model server, and the settings of a deployer. A field that is
not listed here is an error, and so is a value that does not fit; all of it is checked before anything is touched.
"""
CONFIG = """
## The config

`ModelServerConfig` in Python, the form of `deploy-model-server` in Prefect, and the file of
`model-deployer deploy --config FILE` in YAML or JSON:

```yaml
model_uri: models/churn
model_name: churn
probes:
  settle_s: 5
```
"""
SETTINGS = """
## The settings of each flavor

By keyword in Python (`deployer.load("process", keep_models=5)`), on the command line as `--set keep_models=5` or by the
environment variable, or in the flavor's Prefect Block, to which the variables do not apply.
"""
COMMAND = """
## The command line

| variable | instead of | meaning |
|---|---|---|
"""
KINDS = {"string": "text", "integer": "whole number", "number": "number", "boolean": "`true` or `false`"}
LIMITS = {"minimum": "≥ ", "exclusiveMinimum": "> ", "maximum": "≤ ", "exclusiveMaximum": "< "}


def page() -> str:
    """The page as the models have it now."""
    settings = [_settings(name, entry.load().SETTINGS) for name, entry in _shipped()]
    return "".join([HEAD, CONFIG, *_config(), SETTINGS, *settings, COMMAND, *_variables()])


def _config() -> Iterator[str]:
    yield "\n" + _table(ModelServerConfig)
    for name, section in _sections(ModelServerConfig):
        yield f"\n### {name}\n\n{_summary(section)}\n\n{_table(section, named=f'{name}.')}"


def _settings(flavor: str, settings: type[BaseModel]) -> str:
    return f"\n### {flavor}\n\n{_summary(settings)}\n\n{_table(settings, variables=True)}"


def _shipped() -> list[tuple[str, Any]]:
    """Not those that others have installed here."""
    return [(name, entry) for name, entry in sorted(flavors().items()) if entry.value.startswith("deployer.")]


def _sections(model: type[BaseModel], within: str = "") -> Iterator[tuple[str, type[BaseModel]]]:
    """Each section by where it stands, those within it right after it."""
    for name, field in model.model_fields.items():
        for section in _models_in(field.annotation):
            yield within + name, section
            yield from _sections(section, f"{within}{name}.")


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in typing.get_args(annotation):
        yield from _models_in(argument)


def _summary(model: type[BaseModel]) -> str:
    return (model.__doc__ or "").strip().partition("\n\n")[0]


def _table(model: type[BaseModel], named: str = "", variables: bool = False) -> str:
    columns = ["field", *(["variable"] if variables else []), "what", "default", "meaning"]
    rows = [_row(model, name, named, variables) for name in model.model_fields]
    lines = [f"| {' | '.join(cells)} |\n" for cells in (columns, *rows)]
    return "".join([lines[0], f"|{'---|' * len(columns)}\n", *lines[1:]])


def _row(model: type[BaseModel], name: str, named: str, variables: bool) -> list[str]:
    field, schema = model.model_fields[name], model.model_json_schema()["properties"][name]
    variable = [f"`{PREFIX}{name.upper()}`"] if variables else []
    section = next((f"[section](#{named.replace('.', '')}{name})" for _ in _models_in(field.annotation)), "")
    return [f"`{name}`", *variable, section or _kind(schema), _default(field), _in_a_cell(field.description or "")]


def _kind(schema: dict[str, Any]) -> str:
    """What may stand there, in words."""
    choices = [one for one in schema.get("anyOf", [schema]) if one.get("type") != "null"]
    return " or ".join(_one_kind(one) for one in choices)


def _one_kind(schema: dict[str, Any]) -> str:
    if "const" in schema:
        return f"`{schema['const']}`"
    if "enum" in schema:
        return " or ".join(f"`{value}`" for value in schema["enum"])
    if schema.get("format") == "path":
        return "path"
    if schema.get("type") == "object":
        return f"{_kind(schema.get('additionalProperties', {}))} by name"
    if schema.get("type") == "array":
        return f"list of {_kind(schema.get('items', {}))}"
    limits = [f"{sign}{schema[limit]:g}" for limit, sign in LIMITS.items() if limit in schema]
    return ", ".join([KINDS.get(schema.get("type", ""), "anything"), *limits])


def _default(field: Any) -> str:
    if field.is_required():
        return "**required**"
    default = field.get_default(call_default_factory=True)
    return "" if default in (None, "", {}, []) else f"`{json.dumps(default, default=str).strip(chr(34))}`"


def _variables() -> Iterator[str]:
    """The options of every command that a variable stands for."""
    for option in typer.main.get_command(app).params:
        if variable := getattr(option, "envvar", None):
            meaning = _in_a_cell(getattr(option, "help", None) or "")
            yield f"| `{variable}` | `{max(option.opts, key=len)}` | {meaning} |\n"


def _in_a_cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
