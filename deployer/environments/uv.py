"""uv: where it is, what it is told, and its end."""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from deployer.environments.index import variables
from deployer.errors import Unsupported

LAST_LINES = 15
LOGIN = re.compile(r"//[^/@\s]+@")


class UvFailed(Exception):
    """It said no.

    Attributes:
        lines: the last that it wrote.
        in_time: False where it was ended because its time was up.
    """

    def __init__(self, lines: str, in_time: bool = True) -> None:
        super().__init__(lines)
        self.lines = lines
        self.in_time = in_time


def find_uv() -> str:
    """The program.

    Raises:
        Unsupported: there is none.
    """
    with contextlib.suppress(ImportError, FileNotFoundError):
        from uv import find_uv_bin

        return find_uv_bin()
    if found := shutil.which("uv"):
        return found
    raise Unsupported(
        "An isolated environment is built by uv, which is not installed here.",
        hint="Install it: pip install 'prefect-model-deployer[isolated]'",
    )


def run_uv(
    arguments: Sequence[str], folder: Path, told: Callable[[str], object], left_s: float | None, held: int
) -> None:
    """Run it in a folder and pass on each line that it writes; it ends before this returns or raises.

    Args:
        left_s: how long it may take.
        held: a descriptor that it inherits: a lock on the folder outlives the deployer as long as uv does.

    Raises:
        UvFailed: it failed, or took too long.
    """
    process = subprocess.Popen(
        [find_uv(), *arguments],
        cwd=folder,
        env=variables(os.environ),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        pass_fds=(held,),
        start_new_session=True,
    )
    last = deque[str](maxlen=LAST_LINES)
    with _ended(process, left_s) as in_time:
        assert process.stdout
        for line in process.stdout:
            last.append(LOGIN.sub("//***@", line.rstrip()))
            told(last[-1].strip())
        code = process.wait()
    if code:
        raise UvFailed("\n".join(last), in_time())


@contextlib.contextmanager
def _ended(process: "subprocess.Popen[str]", left_s: float | None) -> Iterator[Callable[[], bool]]:
    """End it, and all that it started, when its time is up, or when whoever reads it is interrupted."""
    over = threading.Event()

    def time_is_up() -> None:
        over.set()
        _end(process)

    timer = threading.Timer(max(left_s or 0.0, 0.0), time_is_up)
    timer.daemon = True
    if left_s is not None:
        timer.start()
    try:
        yield lambda: not over.is_set()
    finally:
        timer.cancel()
        _end(process)
        assert process.stdout
        process.stdout.close()


def _end(process: "subprocess.Popen[str]") -> None:
    """Its cache and an environment that is not complete yet stand whatever ends it."""
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
