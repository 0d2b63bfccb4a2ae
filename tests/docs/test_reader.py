"""What the docs' own tests make of a page."""

from pathlib import Path

import pytest

from tests.docs.pages import Block, WrongPage, blocks
from tests.docs.reader import Reader

PAGE = """\
# A page

<!-- An ordinary comment. -->
<!-- done already: pip install -->
<!-- in another terminal: tail
-f -->
```sh
pip install this
tail -f that
```
<!-- not run: it shows something -->
```python
...
```

<!-- python
seen = "by nobody"
-->
```python
print(seen)
```
<!-- python
assert seen
-->

```yaml
# churn.yaml, for a command
rollout: recreate
```

```console
$ ls
```
"""


@pytest.fixture
def reader(tmp_path: Path) -> Reader:
    for name in ("home", "folder"):
        (tmp_path / name).mkdir()
    return Reader(tmp_path / "home", tmp_path / "folder", {"8400": "12345"})


def read(reader: Reader, page: str) -> Reader:
    for block in blocks(page):
        reader.does(block)
    return reader


def test_a_page_is_its_blocks_and_what_its_comments_say_of_them() -> None:
    first, second, third, fourth, last = blocks(PAGE)
    assert (first.language, first.line) == ("sh", 7)
    assert (first.done_already, first.elsewhere) == (("pip install",), ("tail -f",))
    assert second.not_run == "it shows something"
    assert third.code == 'seen = "by nobody"\n\nprint(seen)\n\nassert seen\n'
    assert (fourth.file, last.language) == ("churn.yaml", "console")


@pytest.mark.parametrize(
    "page",
    [
        "```bash\nls\n```\n",
        "- so:\n  ```sh\n  ls\n  ```\n",
        "<!-- not run: why -->\nText.\n\n```sh\nls\n```\n",
        "```sh\nls\n```\n<!-- not run: why -->\n",
    ],
)
def test_what_nobody_would_run_or_heed_is_an_error(page: str) -> None:
    with pytest.raises(WrongPage):
        blocks(page)


def test_a_block_leaves_its_variables_and_its_files_to_the_next(reader: Reader) -> None:
    read(reader, "```sh\nexport TOLD=8400/x84009\necho 1 > left\n```\n")
    read(reader, "```python\nimport os\nassert os.environ['TOLD'] == '12345/x84009'\n```\n")
    read(reader, '```sh\ntest "$TOLD" = 12345/x84009 -a "$(cat left)" = 1\n```\n')


def test_a_file_is_written_and_a_config_checked(reader: Reader) -> None:
    read(reader, "```yaml\n# churn.yaml\nrollout: recreate\n```\n```sh\ngrep -q recreate churn.yaml\n```\n")
    read(reader, "```yaml\nprobes:\n  settle_s: 5\n```\n```toml\na = 1\n```\n")
    with pytest.raises(ValueError, match="settle"):
        read(reader, "```yaml\nprobes:\n  settle: 5\n```\n")


@pytest.mark.parametrize(
    ("page", "told"),
    [
        ("```sh\n\necho so; false\ntrue\n```\n", r"line 1 ended with 1\n(.|\n)*echo so(.|\n)*\nso\n"),
        ("\n```sh\nfalse | true\n```\n", "line 2 ended with 1"),
        ("```sh\necho $NOT_SET_ANYWHERE\n```\n", "unbound"),
        ("```python\nraise OSError('so')\n```\n", "OSError: so"),
        ("<!-- fails with: Refused -->\n```sh\necho Refused\n```\n", "it should fail with Refused"),
        ("<!-- fails with: Refused -->\n```sh\nfalse\n```\n", "ended with 1"),
    ],
)
def test_a_block_that_goes_otherwise_than_its_page_says_is_told_with_its_output(
    reader: Reader, page: str, told: str
) -> None:
    with pytest.raises(AssertionError, match=told):
        read(reader, page)


def test_a_failure_that_the_page_announces_is_none(reader: Reader) -> None:
    read(reader, "<!-- fails with: Refused -->\n```sh\necho Refused >&2; exit 3\n```\n")


def test_what_is_left_out_is_not_run(reader: Reader) -> None:
    read(reader, "<!-- not run: why -->\n```sh\nfalse\n```\n<!-- done already: false -->\n```sh\nfalse\n```\n")


def test_what_runs_in_another_terminal_ends_with_the_page(reader: Reader) -> None:
    read(reader, "<!-- in another terminal: sleep 9 -->\n```sh\necho 1 > before\nsleep 999\ntest -e before\n```\n")
    assert reader._elsewhere[0][2].poll() is None
    reader.leaves()
    assert reader._elsewhere[0][2].poll() is not None


def test_what_failed_in_another_terminal_is_told(reader: Reader) -> None:
    read(reader, "<!-- in another terminal: false -->\n```sh\nfalse\n```\n")
    reader._elsewhere[0][2].wait(10)
    with pytest.raises(AssertionError, match="ended with 1"):
        reader.leaves()


def test_a_block_that_does_not_end_is_told(reader: Reader, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.docs.reader.BLOCK_TAKES_S", 0.5)
    with pytest.raises(AssertionError, match=r"nothing within 0\.5 s(.|\n)*begun"):
        read(reader, "```sh\necho begun; exec sleep 60\n```\n")


def test_nobody_knows_what_a_reader_runs_but_by_its_block() -> None:
    assert Block("python", "# train.py\n", 1).file == "train.py"
    assert Block("python", "# Train it.\n", 1).file == ""
    assert Block("python", "# train.py\n", 1, hidden=True).file == ""
    assert Block("sh", "# train.py\n", 1).file == ""
