"""Models for the suite's own model server."""

import json
import os
import shlex
import sys
import tempfile
from pathlib import Path

from deployer.testing import model_server


def write_model(folder: Path, answer: str, mode: str = "ok", delay_s: float = 0.05, work_s: float = 0) -> Path:
    """Write a model that `deployer.testing.model_server` serves, over the one that is there; nobody sees half of it.

    Args:
        folder: made if missing; only its `model.json` is written.
        answer: what it predicts, whatever it is asked.
        mode: how it behaves, one of `deployer.testing.model_server.MODES`.
        delay_s: seconds from its start until its port opens, or it exits.
        work_s: seconds that a prediction takes.

    Returns:
        The folder.
    """
    if mode not in model_server.MODES:
        raise ValueError(f"{mode!r} is none of {', '.join(model_server.MODES)}")
    folder.mkdir(parents=True, exist_ok=True)
    content = {"answer": answer, "mode": mode, "delay_s": delay_s, "work_s": work_s}
    with tempfile.NamedTemporaryFile("w", dir=folder.parent, prefix=".model-", delete=False) as whole:
        json.dump(content, whole)
    os.replace(whole.name, folder / "model.json")
    return folder


def command_line() -> str:
    """The command line of the suite's model server, for the runtime `command`."""
    # Alone with the standard library, it starts in half the time.
    program = [sys.executable, "-I", "-S", model_server.__file__]
    return f"{shlex.join(program)} --port {{port}} --model {{model}}"
