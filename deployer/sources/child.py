"""The process that fetches one model: what hangs in it, or is slow to import, ends with it.

It is told of the model on its input, and ends when that closes: a fetch does not outlive who wanted it.
It answers with a line of JSON for each thing that happens.
"""

import json
import os
import sys
import threading
import traceback
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from deployer.errors import DeployerError, ModelError
from deployer.sources.fetch import look
from deployer.sources.watch import Watch

HINT = "See whether the model URI is written as its source wants it, and whether its package here is a recent one."


def main() -> None:
    """Look at a model, say what was seen, and fetch it when told where to."""
    answers = _answers_alone()
    told = _told()

    def answer(**content: object) -> None:
        answers.write(json.dumps(content) + "\n")
        answers.flush()

    uri = told.get()["uri"]
    try:
        remote = look(uri)
        answer(version=remote.version)
        work = Path(told.get()["work"])
        model = remote.bring(work, Watch(lambda done, total: answer(done=done, total=total)))
        answer(model=str(model.path.relative_to(work)), digest=model.digest)
    except DeployerError as error:
        answer(error=type(error).__name__, what=error.what, serving=error.serving, hint=error.hint)
    except Exception as error:
        if isinstance(error, OSError) and error.errno:
            answer(error="OSError", errno=error.errno, what=error.strerror)
        else:
            answer(error=ModelError.__name__, what=f"{uri} cannot be fetched: {_where(error)}.", serving="", hint=HINT)


def _answers_alone() -> Any:
    """What goes to the standard output, which libraries may write to as well, is from now on ours alone."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return answers


def _told() -> "SimpleQueue[Any]":
    queue: SimpleQueue[Any] = SimpleQueue()

    def read() -> None:
        for line in sys.stdin:
            queue.put(json.loads(line))
        os._exit(1)

    threading.Thread(target=read, daemon=True).start()
    return queue


def _where(error: Exception) -> str:
    # Without its text, which may hold what is secret.
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__} in {Path(last.filename).name}, line {last.lineno}"


if __name__ == "__main__":
    main()
    os._exit(0)  # Threads of libraries are not waited for.
