"""Programs that run as long as a test does."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

ENDS_WITHIN_S = 20
# A shell starts its background jobs with SIGINT ignored, and whatever they start would ignore it too.
WITH_SIGINT = """
import os, signal, sys
signal.signal(signal.SIGINT, signal.SIG_DFL)
os.execv(sys.argv[1], sys.argv[1:])
"""


@contextmanager
def running(module: Sequence[str], env: Mapping[str, str], log: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """Run `python -m …`; ended, with all of its session, when the block is left."""
    command = [sys.executable, "-c", WITH_SIGINT, sys.executable, "-m", *module]
    with log.open("wb") as out:
        program = subprocess.Popen(
            command, env=env, stdin=subprocess.DEVNULL, stdout=out, stderr=out, cwd=log.parent, start_new_session=True
        )
    try:
        yield program
    finally:
        _end(program)


def _end(program: "subprocess.Popen[bytes]") -> None:
    program.send_signal(signal.SIGINT)
    try:
        program.wait(ENDS_WITHIN_S)
    except subprocess.TimeoutExpired:
        os.killpg(program.pid, signal.SIGKILL)
        program.wait()
