"""A Prefect server of the demo's own, which reports to nobody and leaves with it."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from deployer.http import NoAnswer, request
from deployer.ports import free_port
from examples.demo.environment import QUIET

UP_WITHIN_S = 90.0
PREPARED = {
    "PREFECT_SERVER_DATABASE_MIGRATE_ON_START": "false",
    "PREFECT_API_BLOCKS_REGISTER_ON_START": "false",
}
"""For a server whose database is there already."""


def environment(folder: Path, port: int) -> dict[str, str]:
    """What everything that talks to the demo's Prefect server has in its environment."""
    return {**QUIET, "PREFECT_HOME": str(folder), "PREFECT_API_URL": f"http://127.0.0.1:{port}/api"}


@contextmanager
def prefect_server(folder: Path, prepared: bool, keep: bool) -> Iterator[str]:
    """A server that is starting; `wait_until_up` tells when it answers. Gives the API's URL.

    Args:
        folder: becomes the server's home.
        prepared: its database is there already.
        keep: leave it running.
    """
    port = free_port()
    env = environment(folder, port)
    os.environ.update(env)
    command = [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port)]
    if not keep:
        command.append("--no-services")
    env_of_server = os.environ | env | (PREPARED if prepared else {})
    with open(folder / "server.log", "wb") as log:
        server = subprocess.Popen(
            command, env=env_of_server, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
        )
    try:
        yield env["PREFECT_API_URL"]
    finally:
        if not keep:
            _end(server)


def wait_until_up(api_url: str, folder: Path) -> None:
    """Return once the server answers.

    Raises:
        TimeoutError: it did not in a minute and a half; with the end of its log.
    """
    deadline = time.monotonic() + UP_WITHIN_S
    while time.monotonic() < deadline:
        try:
            if request("GET", f"{api_url}/health", timeout_s=1).status == 200:
                return
        except NoAnswer:
            time.sleep(0.1)
    tail = (folder / "server.log").read_text(errors="replace")[-2000:]
    raise TimeoutError(f"The Prefect server did not answer within {UP_WITHIN_S:g} s. The end of its log:\n{tail}")


def _end(server: "subprocess.Popen[bytes]") -> None:
    """At once: its database goes with it. It has a session of its own, so a Ctrl-C ends the demo before the server."""
    os.killpg(server.pid, signal.SIGKILL)
    server.wait()
