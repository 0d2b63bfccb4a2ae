"""What of a page of the docs is run, and how the page says what is to be done otherwise.

Fenced blocks of `sh` and `python` are run, in their order, in one folder of the page's own. A `sh` block leaves its
exported variables to those after it. A `yaml` or `python` block whose first line is a comment that begins with a file's
name (`# churn.yaml, …`) becomes that file; a `yaml` block without one must hold fields of a config, a `toml` block must
be TOML. Blocks of other languages (`console`, `text`, none) only show something.

HTML comments, which nobody sees in a rendered page, say the rest. Right before a block, each in a comment of its own:

    not run: REASON                     the block is left out
    fails with: NAME                    the block ends with an error of that name
    done already: LINE                  the line that begins so is left out: the tests have seen to it
    in another terminal: LINE           the line that begins so is started, and ended with the page

A comment whose first line is `sh` or `python` alone is a block that only the tests run: what the reader has done
already. Where it touches a `python` block, both are one program.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

ROOT = Path(__file__).parents[2]
RUN = ("sh", "python")
WRITTEN = ("yaml", "python")
CHECKED = ("yaml", "toml")
SHOWN = ("", "console", "text", "json")
PART = re.compile(
    r"^<!--[ \t]*(?P<comment>.*?)-->[ \t]*$|^```(?P<language>[^\n]*)\n(?P<code>.*?)^```[ \t]*$",
    re.DOTALL | re.MULTILINE,
)
INDENTED = re.compile(r"^[ \t]+```", re.MULTILINE)
FILE = re.compile(r"#\s*([\w-]+\.\w+)\b")
INSTRUCTIONS = ("not run", "fails with", "done already", "in another terminal")


class WrongPage(Exception):
    """A page says what nobody understands."""


@dataclass(frozen=True)
class Block:
    """A block of a page, and what is to be done with it.

    Attributes:
        line: of the page, where it begins.
        hidden: nobody but the tests sees it.
    """

    language: str
    code: str
    line: int
    hidden: bool = False
    not_run: str = ""
    fails_with: str = ""
    done_already: tuple[str, ...] = ()
    elsewhere: tuple[str, ...] = ()

    @property
    def file(self) -> str:
        """The name of the file that it is, empty where it is none."""
        named = FILE.match(self.code) if self.language in WRITTEN and not self.hidden else None
        return named[1] if named else ""


@dataclass
class _Instructions:
    given: list[tuple[str, str]] = field(default_factory=list)

    def read(self, comment: str) -> None:
        what, colon, rest = comment.strip().partition(": ")
        if colon and what in INSTRUCTIONS:
            self.given.append((what, " ".join(rest.split())))

    def all(self, what: str) -> tuple[str, ...]:
        return tuple(rest for given, rest in self.given if given == what)

    def one(self, what: str) -> str:
        return next(iter(self.all(what)), "")

    def must_be_empty_where(self, no_block_follows: bool) -> None:
        if self.given and no_block_follows:
            raise WrongPage(f"no block follows right after {self.given}")


def pages() -> list[Path]:
    """The README and all pages of the docs."""
    return [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def blocks(text: str) -> list[Block]:
    """All blocks of a page, in their order; programs in parts are put together.

    Raises:
        WrongPage: a block is of a language that is neither run nor shown, or an instruction stands before no block.
    """
    if indented := INDENTED.search(text):
        raise WrongPage(f"line {_line(text, indented.start() + 1)}: a block must not be indented")
    found: list[Block] = []
    for block, touches in _parts(text):
        if touches and _are_one_program(found[-1], block):
            found[-1] = _together(found[-1], block)
        else:
            found.append(block)
    return found


def _parts(text: str) -> Iterator[tuple[Block, bool]]:
    """Each block, and whether it touches the one before it."""
    instructions, end, touches = _Instructions(), 0, False
    for part in PART.finditer(text):
        between = text[end : part.start()].strip()
        instructions.must_be_empty_where(bool(between))
        touches, end = touches and not between, part.end()
        if part["comment"] is not None and part["comment"].partition("\n")[0].strip() not in RUN:
            instructions.read(part["comment"])
        else:
            yield _block(part, _line(text, part.start()), instructions), touches
            instructions, touches = _Instructions(), True
    instructions.must_be_empty_where(True)


def _line(text: str, position: int) -> int:
    return text.count("\n", 0, position) + 1


def _block(part: "re.Match[str]", line: int, instructions: _Instructions) -> Block:
    hidden = part["comment"] is not None
    language, _, code = part["comment"].partition("\n") if hidden else (part["language"], "", part["code"])
    if language.strip() not in {*RUN, *CHECKED, *SHOWN}:
        raise WrongPage(f"line {line}: {language} is neither run ({RUN}) nor checked ({CHECKED}) nor shown ({SHOWN})")
    return Block(
        language.strip(),
        code,
        line,
        hidden,
        not_run=instructions.one("not run"),
        fails_with=instructions.one("fails with"),
        done_already=instructions.all("done already"),
        elsewhere=instructions.all("in another terminal"),
    )


def _are_one_program(first: Block, second: Block) -> bool:
    in_python = first.language == second.language == "python"
    return in_python and (first.hidden or second.hidden) and not (first.not_run or second.not_run)


def _together(first: Block, second: Block) -> Block:
    seen = second if first.hidden else first
    return replace(seen, code=f"{first.code}\n{second.code}", line=first.line, hidden=first.hidden and second.hidden)
