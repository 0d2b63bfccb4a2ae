"""A config from a file and from the command line."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deployer.cli.settings import assigned
from deployer.errors import InvalidConfig

if TYPE_CHECKING:
    from deployer.config import ModelServerConfig


def config_of(
    file: Path | None, given: Mapping[str, str | None], env: list[str], secrets: list[str]
) -> "ModelServerConfig":
    """The config that a file and a command line make together; the command line wins, variable by variable too.

    Args:
        given: fields on the command line; None where one was not given.
        env: `K=V` each.
        secrets: `K=REFERENCE` each.

    Raises:
        InvalidConfig: naming the file and each field that does not fit.
    """
    fields = _read(file) if file else {}
    fields |= {field: value for field, value in given.items() if value is not None}
    for field, pairs in (("env", assigned(env, "--env")), ("secrets", assigned(secrets, "--secret"))):
        if pairs:
            known = fields.get(field) or {}
            fields[field] = {**known, **pairs} if isinstance(known, Mapping) else known
    return _checked(fields, file)


def _checked(fields: dict[str, Any], file: Path | None) -> "ModelServerConfig":
    from pydantic import ValidationError

    from deployer.config import ModelServerConfig
    from deployer.references import in_words

    _refuse_what_cannot_be_written(fields)
    try:
        return ModelServerConfig.model_validate(fields)
    except ValidationError as error:
        where = f"The config in {file}, with what the command line adds," if file else "What the command line gives"
        raise InvalidConfig(
            f"{where} is no config of a model server: {in_words(error)}.",
            hint=f"Give NAME and MODEL_URI, or --config FILE. Fields are: {', '.join(ModelServerConfig.model_fields)}.",
        ) from None


def _refuse_what_cannot_be_written(fields: dict[str, Any]) -> None:
    """Python lets bytes of a command line that are no UTF-8 pass as text, until they shall be written."""
    for field, value in fields.items():
        try:
            json.dumps(value, ensure_ascii=False, default=str).encode()
        except UnicodeEncodeError:
            raise InvalidConfig(f"{field}: it holds bytes that are no UTF-8 text.", hint="Write it in UTF-8.") from None
        except ValueError:
            raise InvalidConfig(f"{field}: it holds itself.", hint="Write it without an alias to itself.") from None


def _read(file: Path) -> dict[str, Any]:
    try:
        text = file.read_text(encoding="utf-8")
    except OSError as error:
        raise InvalidConfig(
            f"The config {file} cannot be read: {error.strerror}.", hint="Name a YAML or JSON file that you may read."
        ) from None
    except UnicodeDecodeError:
        raise InvalidConfig(f"The config {file} is not UTF-8 text.", hint="Write it as YAML or JSON.") from None
    content = _parsed(file, text)
    if not isinstance(content, dict):
        raise InvalidConfig(
            f"The config {file} holds no fields, but {_kind(content)}.", hint="Write one `field: value` a line."
        )
    return content


def _parsed(file: Path, text: str) -> Any:
    import yaml

    is_json = file.suffix.lower() == ".json"
    try:
        return json.loads(text) if is_json else yaml.safe_load(text)
    except json.JSONDecodeError as error:
        why = f"line {error.lineno}, column {error.colno}: {error.msg}"
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        why = (f"line {mark.line + 1}, column {mark.column + 1}: " if mark else "") + str(error.problem)
    except yaml.YAMLError:
        why = "it holds characters that YAML does not allow"
    except RecursionError:
        why = "it is nested too deep"
    raise InvalidConfig(f"The config {file} is no {'JSON' if is_json else 'YAML'}: {why}.", hint="Correct it there.")


def _kind(content: object) -> str:
    return {type(None): "nothing", list: "a list", str: "text"}.get(type(content), f"a {type(content).__name__}")
