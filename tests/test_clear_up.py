"""What reconcile removes of what only some engines have."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest

from deployer.clear_up import ClearUp
from deployer.engine import Engine, Unreadable
from deployer.store import Store


@dataclass
class WithImages:
    """An engine as far as clearing up sees it."""

    strange: list[Unreadable] = field(default_factory=list)
    kept: list[Any] = field(default_factory=list)

    def unreadable(self) -> list[Unreadable]:
        return self.strange

    def collect_images(self, keep: Any) -> None:
        self.kept.append(keep)


@pytest.mark.parametrize(
    ("strange", "kept"), [([], [set()]), ([Unreadable("somewhere", "it is no record and may name any image")], [])]
)
def test_images_that_nobody_names_are_collected_unless_something_may_name_them_and_cannot_be_read(
    tmp_path: Path, strange: list[Unreadable], kept: list[Any]
) -> None:
    engine = WithImages(strange)
    assert ClearUp(cast(Engine, engine), Store(tmp_path / "models"), None).after([], 3) == ""
    assert engine.kept == kept
