"""docs/configuration.md is what the models say today."""

import difflib
from typing import Literal

import pytest
from pydantic import BaseModel, Field

from deployer.config import ModelServerConfig, Section
from deployer.references import flavors
from tests.docs import reference

RENEW = "renew it: .venv/bin/python -m tests.docs.reference"


def test_the_page_is_made_from_the_models_of_today() -> None:
    written, made = reference.PAGE.read_text(encoding="utf-8"), reference.page()
    lines = difflib.unified_diff(written.splitlines(), made.splitlines(), "written", "made", lineterm="")
    difference = "\n".join(lines)
    assert not difference, f"{RENEW}\n{difference}"


@pytest.mark.parametrize("name", ModelServerConfig.model_fields)
def test_every_field_of_a_config_stands_there(name: str) -> None:
    assert f"\n| `{name}` | " in reference.page()


@pytest.mark.parametrize("flavor", [name for name, entry in flavors().items() if entry.value.startswith("deployer.")])
def test_every_setting_of_every_flavor_stands_there_with_its_variable(flavor: str) -> None:
    settings = reference.page().partition("\n## The settings")[2]
    _, _, section = settings.partition(f"\n### {flavor}\n")
    for name in flavors()[flavor].load().SETTINGS.model_fields:
        assert f"\n| `{name}` | `MODEL_DEPLOYER_{name.upper()}` | " in section.partition("\n#")[0]


class Inner(Section):
    """What lies within."""

    depth: float = Field(default=2.5, gt=0, le=9, description="How deep.")


class Outer(BaseModel):
    """What lies around. And so on.

    A note for developers.
    """

    needed: list[str] = Field(description="This | that.")
    mode: Literal["one", "two"] = Field(default="one", description="Which.")
    inner: Inner | None = Field(default=None, description="More.")


def test_what_may_stand_in_a_field_is_said_in_words() -> None:
    assert reference._table(Outer).splitlines()[2:] == [
        "| `needed` | list of text | **required** | This \\| that. |",
        "| `mode` | `one` or `two` | `one` | Which. |",
        "| `inner` | [section](#inner) |  | More. |",
    ]
    assert reference._table(Inner).splitlines()[2:] == ["| `depth` | number, > 0, ≤ 9 | `2.5` | How deep. |"]


def test_sections_are_found_wherever_they_stand() -> None:
    assert list(reference._sections(Outer)) == [("inner", Inner)]
    assert reference._summary(Outer) == "What lies around. And so on."
