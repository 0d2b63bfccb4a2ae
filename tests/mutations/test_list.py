"""The list of broken rules does not rot: each line is there, each test too."""

import ast
import re

import pytest

from deployer.testing import suite
from tests.mutations.every import MUTATIONS
from tests.mutations.mutation import Mutation
from tests.mutations.run import REPOSITORY


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.rule)
def test_one_line_is_changed_that_is_there_once_and_it_is_still_python(mutation: Mutation) -> None:
    pairs = zip(mutation.old.split("\n"), mutation.new.split("\n"), strict=True)
    assert sum(old != new for old, new in pairs) == 1
    ast.parse(mutation.applied_to(REPOSITORY))


@pytest.mark.parametrize("test", sorted({test for mutation in MUTATIONS for test in mutation.seen_by}))
def test_what_sees_it_is_there(test: str) -> None:
    place, _, name = test.partition("::")
    path = REPOSITORY / place
    assert path.is_file()
    assert not name or name in suite.__all__ or re.search(rf"^def {name}\(", path.read_text(), re.MULTILINE)


def test_each_rule_stands_once() -> None:
    rules = [mutation.rule for mutation in MUTATIONS]
    assert len(set(rules)) == len(rules)
