import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import psutil
import pytest

from deployer.processes import listeners
from deployer.processes.identity import LINUX
from deployer.processes.listeners import listens


@pytest.fixture(params=["127.0.0.1", "::1"])
def listener(request: pytest.FixtureRequest) -> Iterator[socket.socket]:
    family = socket.AF_INET6 if ":" in request.param else socket.AF_INET
    with socket.create_server((request.param, 0), family=family) as made:
        yield made


@pytest.fixture
def bystander() -> Iterator[int]:
    """The pid of a process that does nothing."""
    with waiting() as process:
        yield process.pid


@contextmanager
def waiting(pass_fds: Sequence[int] = ()) -> Iterator["subprocess.Popen[bytes]"]:
    command = [sys.executable, "-I", "-S", "-c", "import sys; sys.stdin.read()"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, pass_fds=pass_fds) as process:
        yield process


def test_who_listens_is_told_from_who_does_not(listener: socket.socket, bystander: int) -> None:
    port = listener.getsockname()[1]
    assert listens(os.getpid(), port)
    assert not listens(bystander, port)


def test_a_process_listens_with_what_runs_below_it(listener: socket.socket) -> None:
    with waiting(pass_fds=[listener.fileno()]):
        port = listener.getsockname()[1]
        listener.close()
        assert listens(os.getpid(), port)


def test_a_port_that_only_connections_use_is_nobodys(listener: socket.socket) -> None:
    with closing(socket.socket(listener.family)) as caller:
        caller.connect(listener.getsockname()[:2])
        port = caller.getsockname()[1]
        assert not listens(os.getpid(), port)


@pytest.mark.skipif(not LINUX, reason="only Linux lists what listens first")
def test_it_is_told_without_a_look_at_every_connection(
    listener: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(psutil.Process, "net_connections", lambda *_: pytest.fail("all connections are read"))
    assert listens(os.getpid(), listener.getsockname()[1])


def test_where_nothing_is_listed_the_connections_tell(
    listener: socket.socket, bystander: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(listeners, "TABLES", (tmp_path / "missing",))
    assert listens(os.getpid(), listener.getsockname()[1])
    assert not listens(bystander, listener.getsockname()[1])
