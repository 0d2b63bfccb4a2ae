"""`list --watch`."""

import json
import os
import pty
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import deployer
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
def test_describe_tells_it_too(serving: InProcesses) -> None:
    url = serving("get-url", "churn").stdout.strip()
    request("GET", f"{url}/ping", timeout_s=5)
    request("GET", f"{url}/nowhere/at/all", timeout_s=5)
    told = serving("describe", "churn", "--json").json["traffic"]
    assert told["answers"]["2xx"] >= 1 and told["requests"] >= 2 and told["p50_s"] > 0
    lines = {line.partition(":")[0]: line for line in serving("describe", "churn").stdout.splitlines()}
    assert "2xx" in lines["requests"] and "p99" in lines["latency"]


def test_without_the_gateway_the_servers_are_told_all_the_same(program: InProcesses, model: Path) -> None:
    program("deploy", "churn", model, *program.quick)
    gateway = deployer.load("process", state_dir=program.state_dir).gateway  # type: ignore[attr-defined]
    gateway.shutdown(2)
    described = program("describe", "churn", "--json")
    assert (described.exit_code, described.json["traffic"]) == (0, None)
    with watching(program, "--json") as process:
        assert process.stdout
        (told,) = json.loads(process.stdout.readline())["servers"]
        assert (told["name"], told["traffic"], told["requests_per_second"]) == ("churn", None, None)
    program("reconcile")


@pytest.mark.timeout(60)
def test_on_a_terminal_it_is_shown_in_place(serving: InProcesses) -> None:
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        serving.command("list", "--watch", "--interval", "0.2"),
        env=serving.environment,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    ) as process:
        os.close(theirs)
        seen = b""
        while seen.count(b"churn") < 3:
            seen += os.read(ours, 65536)
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0
    os.close(ours)
    assert b"A SECOND" in seen and b"\x1b[" in seen and b"Traceback" not in seen


@pytest.mark.timeout(60)
def test_an_interruption_ends_it_without_a_word(serving: InProcesses) -> None:
    with watching(serving) as process:
        assert process.stdout and "NAME" in process.stdout.readline()
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=20)
        assert (process.returncode, said) == (0, "")
