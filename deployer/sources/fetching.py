"""One model fetched by a process of its own, under a deadline that holds whatever its source does."""

import json
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from deployer import errors, secrets
from deployer.errors import DeployerError, ModelError, SourceUnavailable
from deployer.sources.answers import NOTHING_CHANGED
from deployer.sources.remote import Brought
from deployer.sources.watch import OnBytes, ignore, out_of_time

SILENCE_S = 90.0
QUIETLY = {
    "DO_NOT_TRACK": "true",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
}
PATIENCE = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1", "MLFLOW_HTTP_REQUEST_TIMEOUT": "30"}
"""How often libraries try on their own, where the user has not said it: we try again ourselves."""


@dataclass(frozen=True)
class Terms:
    """On which terms a model is fetched.

    Attributes:
        credentials: environment variables by reference, as `deployer.secrets.resolve` takes them.
        until: an instant of the monotonic clock; None: it may take as long as bytes come.
        silence_s: how long its source may show no sign of life.
    """

    credentials: Mapping[str, str] = field(default_factory=dict)
    until: float | None = None
    on_bytes: OnBytes = ignore
    silence_s: float = SILENCE_S


@contextmanager
def fetching(uri: str, terms: Terms) -> Iterator["Fetching"]:
    """A process that has begun to look at the model; it ends with the context.

    Raises:
        SecretUnresolved: a credential's reference leads nowhere.
    """
    resolved = secrets.resolve(terms.credentials)
    ours = PATIENCE | dict(os.environ) | QUIETLY | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "deployer.sources.child"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=ours | resolved,
        start_new_session=True,
    )
    try:
        yield Fetching(uri, terms, process)
    finally:
        process.kill()
        for stream in (process.stdin, process.stdout):
            if stream:
                with suppress(OSError):
                    stream.close()
        process.wait()


class Fetching:
    """What the process that fetches says, as values and as errors."""

    def __init__(self, uri: str, terms: Terms, process: "subprocess.Popen[bytes]") -> None:
        self._uri = uri
        self._terms = terms
        self._process = process
        self._done, self._total = 0, None
        self._tell(uri=uri)
        self._lines = self._read_lines()

    def version(self) -> str:
        """Another one whenever the model's bytes are others; empty where its source does not say.

        Raises:
            As `deployer.sources.fetch.look`; RolloutTimeout: the time is over.
        """
        return str(self._answer()["version"])

    def bring(self, work: Path) -> Brought:
        """Fetch it into a folder, going on with what is there; told of on the way.

        Raises:
            InvalidModel, ModelChanged: it cannot be served as it came; what is in the folder is worth nothing.
            SourceUnavailable, RolloutTimeout: another attempt may go on from what is in the folder.
            OSError: the folder cannot be written.
        """
        self._tell(work=str(work))
        while "digest" not in (answer := self._answer()):
            self._done, self._total = answer["done"], answer["total"]
            self._terms.on_bytes(self._done, self._total)
        return Brought(work / answer["model"], answer["digest"])

    def _tell(self, **content: str) -> None:
        assert self._process.stdin
        with suppress(BrokenPipeError):  # Then its answers end too.
            self._process.stdin.write(json.dumps(content).encode() + b"\n")
            self._process.stdin.flush()

    def _answer(self) -> dict[str, Any]:
        for line in self._lines:
            answer: dict[str, Any] = json.loads(line)
            if "error" in answer:
                raise _error(answer)
            return answer
        raise self._died()

    def _read_lines(self) -> Iterator[bytes]:
        assert self._process.stdout
        rest = b""
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            while chunk := self._next_chunk(selector, self._process.stdout.fileno()):
                *lines, rest = (rest + chunk).split(b"\n")
                yield from lines

    def _next_chunk(self, selector: selectors.BaseSelector, descriptor: int) -> bytes:
        patience_s = self._terms.silence_s
        if self._terms.until is not None:
            patience_s = min(patience_s, self._terms.until - time.monotonic())
        if selector.select(max(0.0, patience_s)):
            return os.read(descriptor, 65536)
        if self._terms.until is not None and time.monotonic() >= self._terms.until:
            raise out_of_time(self._done, self._total)
        raise self._unavailable(f"nothing came for {self._terms.silence_s:g} s")

    def _died(self) -> SourceUnavailable:
        code = self._process.wait()
        by = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        return self._unavailable(f"the process that fetched it ended ({by})")

    def _unavailable(self, why: str) -> SourceUnavailable:
        return SourceUnavailable(
            f"{self._uri} cannot be fetched: {why}.",
            serving=NOTHING_CHANGED,
            hint="Try again; see whether its host can be reached from here, and whether this machine has memory left.",
        )


def _error(answer: dict[str, Any]) -> Exception:
    if answer["error"] == "OSError":
        return OSError(answer["errno"], answer["what"])
    kind = getattr(errors, answer["error"], ModelError)
    assert issubclass(kind, DeployerError)
    return kind(answer["what"], serving=answer["serving"], hint=answer["hint"])
