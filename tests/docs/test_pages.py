"""What README.md and docs/ say is so: all of their blocks are run, page by page."""

from pathlib import Path

import pytest

from tests.docs.pages import ROOT, blocks, pages
from tests.docs.reader import Reader

pytestmark = pytest.mark.timeout(300)


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_a_page_is_true(page: Path, reader: Reader) -> None:
    for block in blocks(page.read_text(encoding="utf-8")):
        reader.does(block)
    reader.leaves()
