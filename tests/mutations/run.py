"""Runs tests on copies of the repository in which one line is changed; the checkout itself is never touched."""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.mutations.mutation import Mutation

REPOSITORY = Path(__file__).resolve().parents[2]
COPIED = ("deployer", "flows", "blocks", "tests", "examples", "pyproject.toml", "deployments.yaml")
TEST_WITHIN_S, RUN_WITHIN_S = 60, 150
PASSED, FAILED, ENDED_LATE = 0, 1, -1
TIMED_OUT = "Failed: Timeout (>"


class NotRun(Exception):
    """Pytest could not run the tests, so nothing is known of the rule."""


@dataclass(frozen=True)
class Verdict:
    """What the tests said of a mutation.

    Attributes:
        late: they did not come to their end, not with three times the time either: they saw it only where it is
            said of the mutation that it hangs.
    """

    mutation: Mutation
    red: bool
    late: bool
    seconds: float


@contextmanager
def copied(original: Path = REPOSITORY) -> Iterator[Path]:
    """The repository in a folder of its own; whatever runs and names that folder ends with it."""
    with tempfile.TemporaryDirectory(prefix="mutated-", ignore_cleanup_errors=True) as name:
        for part in COPIED:
            source, copy = original / part, Path(name, part)
            shutil.copytree(source, copy) if source.is_dir() else shutil.copy2(source, copy)
        try:
            yield Path(name)
        finally:
            _end_all_that_names(name)


def tried(mutation: Mutation, original: Path) -> Verdict:
    """Break the rule in a copy of that repository and see whether its tests turn red.

    Raises:
        Rotten: its line is no longer there.
        NotRun: pytest found no such test, or nothing to import.
    """
    began = time.monotonic()
    with copied(original) as repository:
        changed = mutation.applied_to(repository)
        (repository / mutation.file).write_text(changed, encoding="utf-8")
        code, said = _pytest(repository, ["-n", "0", "-x", *mutation.seen_by])
        if code == ENDED_LATE and not mutation.hangs:
            code, said = _pytest(repository, ["-n", "0", "-x", *mutation.seen_by], patience=3)
    if code not in (PASSED, FAILED, ENDED_LATE):
        raise NotRun(f"{mutation.rule}\n{said}")
    late = code == ENDED_LATE
    return Verdict(mutation, code == FAILED or (late and mutation.hangs), late, time.monotonic() - began)


def require_green(tests: Sequence[str], repository: Path, jobs: int) -> None:
    """See that the tests pass in a copy where no rule is broken: what is red anyway proves nothing.

    Raises:
        NotRun: they do not.
    """
    _require_that_the_copy_is_imported(repository)
    code, said = _pytest(repository, ["-n", str(jobs), *tests], patience=10)
    if code != PASSED:
        raise NotRun(f"without any mutation:\n{said}")


def _require_that_the_copy_is_imported(repository: Path) -> None:
    """The checkout is installed too, and must not come first."""
    asked = [sys.executable, "-c", "import deployer; print(deployer.__file__)"]
    found = subprocess.run(
        asked, cwd=repository, env=_environment(repository), capture_output=True, check=True, text=True
    )
    assert Path(found.stdout.strip()).is_relative_to(repository), f"{found.stdout} is imported, not the copy"


def _pytest(repository: Path, arguments: Sequence[str], patience: int = 1) -> tuple[int, str]:
    """Its exit code, and the last that it said; a test that did not end in time has not failed, but ended late."""
    base, test_within_s, within_s = repository / "tmp", patience * TEST_WITHIN_S, patience * RUN_WITHIN_S
    command = [sys.executable, "-m", "pytest", "-q", f"--timeout={test_within_s}", f"--basetemp={base}", *arguments]
    try:
        done = subprocess.run(
            command,
            cwd=repository,
            env=_environment(repository),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=within_s,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return ENDED_LATE, f"it did not end within {within_s:g} s"
    code = ENDED_LATE if done.returncode == FAILED and TIMED_OUT in done.stdout else done.returncode
    return code, "\n".join(done.stdout.splitlines()[-40:])


def _environment(repository: Path) -> dict[str, str]:
    return os.environ | {"PYTHONPATH": str(repository)}


def _end_all_that_names(folder: str) -> None:
    """A broken rule may leave servers and gateways behind."""
    for process in psutil.process_iter(["cmdline"]):
        if any(folder in word for word in process.info["cmdline"] or []):
            with suppress(psutil.Error):
                process.kill()
