"""docs/troubleshooting.md knows every error by its name, and none that there is not."""

import inspect
import re
from collections import Counter
from pathlib import Path

from deployer import errors

PAGE = Path(__file__).parents[2] / "docs" / "troubleshooting.md"
COLUMNS = ["error", "what it means", "what still serves", "what to do"]


def rows() -> list[list[str]]:
    lines = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]
    return [row for row in cells if row != COLUMNS and not set("".join(row)) <= set("-|")]


def classes() -> list[str]:
    return [name for name, one in inspect.getmembers(errors, inspect.isclass) if issubclass(one, errors.DeployerError)]


def test_each_error_stands_there_once_and_nothing_else_does() -> None:
    written = Counter(row[0].strip("`") for row in rows())
    assert sorted({*classes()} - {*written}) == [], "add a row for each to docs/troubleshooting.md"
    assert sorted({*written} - {*classes()}) == [], "remove their rows from docs/troubleshooting.md"
    assert [name for name, times in written.items() if times > 1] == [], "they have several rows"


def test_each_row_says_what_it_means_what_still_serves_and_what_to_do() -> None:
    assert [row for row in rows() if len(row) != len(COLUMNS) or not all(row)] == []


def test_an_error_is_named_on_the_page_only_if_there_is_one() -> None:
    """In the words of other pages too."""
    named = re.compile(r"`([A-Z][a-z]+(?:[A-Z][a-z]+)*)`")
    suffixes = ("Refused", "Timeout", "Down", "Unavailable", "Gone", "Taken", "Unresolved", "Error", "Stopped")
    for page in PAGE.parent.glob("*.md"):
        found = {name for name in named.findall(page.read_text(encoding="utf-8")) if name.endswith(suffixes)}
        assert found <= {*classes(), "OSError"}, page.name


def test_the_tree_at_the_head_of_the_module_names_them_all() -> None:
    tree = re.findall(r"^[ │├└─]*([A-Z][A-Za-z]+)", (errors.__doc__ or "").partition("\n\n")[2], re.MULTILINE)
    assert sorted(tree) == sorted(classes())
