"""Real servers as processes of their own, ended with their context."""

import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

UP_WITHIN_S = 180.0
KEY, SECRET = "a-key", "a-secret-of-s3"


@contextmanager
def program(command: list[str], port: int, log: Path, env: Mapping[str, str] | None = None) -> Iterator[str]:
    """Its address, once it answers."""
    with log.open("w") as out, subprocess.Popen(command, stdout=out, stderr=out, env=env, cwd=log.parent) as process:
        try:
            _wait(process, f"http://127.0.0.1:{port}/", log)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def _wait(process: "subprocess.Popen[bytes]", address: str, log: Path) -> None:
    deadline = time.monotonic() + UP_WITHIN_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            urllib.request.urlopen(address, timeout=2)
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError(f"{process.args!r} did not come up: {log.read_text()[-2000:]}")
