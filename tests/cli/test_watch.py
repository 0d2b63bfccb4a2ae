"""`list --watch`."""

import json
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from deployer.http import request
from tests.support.command_line import InProcesses

pytestmark = pytest.mark.xdist_group("serving")


@contextmanager
def watching(program: InProcesses, *options: str) -> Iterator["subprocess.Popen[str]"]:
    process = subprocess.Popen(
        program.command("list", "--watch", "--interval", "0.2", *options),
        env=program.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


@pytest.mark.timeout(60)
def test_it_tells_the_traffic_of_each_server_as_it_comes(serving: InProcesses) -> None:
    url = serving("get-url", "churn").stdout.strip()
    with watching(serving, "--json") as process:
        assert process.stdout
        first = json.loads(process.stdout.readline())["servers"][0]
        before = first["traffic"]["requests"] if first["traffic"] else 0
        assert first["name"] == "churn" and first["requests_per_second"] is None
        for _ in range(5):
            request("GET", f"{url}/ping", timeout_s=5)
        told = (json.loads(line)["servers"][0] for line in process.stdout)
        last = next(server for server in told if server["traffic"] and server["traffic"]["requests"] >= before + 5)
        assert last["traffic"]["errors"] == 0 and last["traffic"]["p50_s"] > 0


@pytest.mark.timeout(60)
def test_an_interruption_ends_it_without_a_word(serving: InProcesses) -> None:
    with watching(serving) as process:
        assert process.stdout and "NAME" in process.stdout.readline()
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=20)
        assert (process.returncode, said) == (0, "")
