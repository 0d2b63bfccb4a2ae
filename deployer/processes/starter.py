"""Starts one server and stays as its small parent; run as a program, with the server's folder as argument.

The server holds an exclusive lock on its folder: held means that it runs. It is let go only after its pid
is written, so whoever is killed in between, nothing runs that nobody knows. Only the standard library is used.
"""

import contextlib
import json
import os
import signal
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

from deployer.processes import cgroup, files, locks
from deployer.processes.identity import boot_id, identify
from deployer.processes.instructions import NO_ROOM, Instructions, NotStarted, Outcome, Room
from deployer.processes.parent import Confined, stay
from deployer.processes.passing import passes

GO = b"g"
LOOPBACK = "127.0.0.1"
NOT_FOR_THE_PARENT = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM)


def main() -> int:
    """Fork the real starter, and exit with its outcome once that is known."""
    folder, instructions = Path(sys.argv[1]), Instructions(**json.load(sys.stdin))
    try:
        if instructions.guard >= 0:
            os.set_inheritable(instructions.guard, False)
        outcome, message = _outcome(folder, instructions)
    except OSError as error:
        outcome, message = _refused(error)
    print(message, file=sys.stderr)
    return int(outcome)


def _outcome(folder: Path, instructions: Instructions) -> tuple[int, str]:
    reading, writing = os.pipe()
    if os.fork() == 0:
        os.close(reading)
        _be_the_starter(folder, instructions, writing)
    os.close(writing)
    with open(reading, encoding="utf-8") as pipe:
        said = pipe.readline()
    outcome, message = json.loads(said) if said else (Outcome.KILLED, "")
    return outcome, message


def _refused(error: Exception) -> tuple[int, str]:
    return Outcome.NOT_NOW if passes(error) else Outcome.FAILED, f"{type(error).__name__}: {error}"


def _be_the_starter(folder: Path, instructions: Instructions, pipe: int) -> NoReturn:
    try:
        start = _Start(folder, instructions)
        if server := _start(start, folder, pipe):
            if instructions.guard >= 0:
                os.close(instructions.guard)
            stay(server, folder, instructions.log_limit, instructions.stable_s, start.confined)
    finally:
        os._exit(0)


def _start(start: "_Start", folder: Path, pipe: int) -> int | None:
    server, said = None, (int(Outcome.STARTED), "")
    try:
        _detach(folder)
        server = start.run()
    except NotStarted as reason:
        said = reason.outcome, reason.message
    except Exception as error:
        said = _refused(error)
    with contextlib.suppress(OSError):
        os.write(pipe, f"{json.dumps(said)}\n".encode())
    os.close(pipe)
    return server


def _detach(folder: Path) -> None:
    """Signals meant for whoever asked wait for ever; the server gets its own share of them once it unblocks them."""
    os.setsid()
    signal.pthread_sigmask(signal.SIG_BLOCK, NOT_FOR_THE_PARENT)
    null = os.open(os.devnull, os.O_RDWR)
    for standard in range(3):
        os.dup2(null, standard)
    try:
        os.chdir(folder)
    except FileNotFoundError:
        raise NotStarted(Outcome.DELETED) from None


class _Start:
    """The order of effects of one start.

    Attributes:
        confined: what it has a limit on its memory by, where it has one.
    """

    def __init__(self, folder: Path, instructions: Instructions) -> None:
        self._folder = folder
        self._instructions = instructions
        self._room = Room(**instructions.room)
        self.confined: Confined | None = None

    def run(self) -> int:
        """The pid of the server, which runs.

        Raises:
            NotStarted: it does not, and nothing of it is left.
        """
        try:
            lock = os.open(self._folder / files.LOCK, os.O_RDWR)
        except FileNotFoundError:
            raise NotStarted(Outcome.DELETED) from None
        try:
            self._claim(lock)
            return self._run_locked(lock)
        except BaseException:
            if self.confined:
                cgroup.remove(self.confined.group.path)
            os.close(lock)  # Whoever is told of it finds the lock free.
            raise

    def _claim(self, lock: int) -> None:
        """From here to the end of the lock nobody deletes the folder."""
        if not locks.exclusive(lock):
            raise NotStarted(Outcome.ALREADY_RUNS)
        os.utime(lock)
        if not self._stands(lock):
            raise NotStarted(Outcome.DELETED)

    def _stands(self, lock: int) -> bool:
        """Whether it is still the folder that whoever asked has read."""
        told = self._instructions.stands.items()
        try:
            if not os.path.samestat(os.stat(self._folder / files.LOCK), os.fstat(lock)):
                return False
            return all(files.content(self._folder / name) == text.encode() for name, text in told)
        except FileNotFoundError:
            return False

    def _run_locked(self, lock: int) -> int:
        self._reached("locked")
        if files.read(self._folder / files.WANTED).get("state") != files.RUNNING:
            raise NotStarted(Outcome.NOT_WANTED)
        self._count()
        self._reached("counted")
        self._make_room()
        bound = self._bind()
        self._reached("addressed")
        return self._launch(lock, bound)

    def _count(self) -> None:
        for name in (files.ENDED, files.SILENT):
            (self._folder / name).unlink(missing_ok=True)
        with open(self._folder / files.STARTS, "a", encoding="ascii") as starts:
            starts.write(f"{boot_id()} {time.time():.3f}\n")

    def _make_room(self) -> None:
        if self._room == NO_ROOM:
            (self._folder / files.ROOM).unlink(missing_ok=True)
            return
        files.write(self._folder / files.ROOM, self._room._asdict())
        if self._room.group:
            group = cgroup.Group.made(Path(self._room.group), self._room.limits)
            self.confined = Confined(group, self._room.memory)

    def _bind(self) -> socket.socket | None:
        if not self._instructions.ports:
            return None
        bound = _first_bound(self._instructions.ports)
        address = {"port": bound.getsockname()[1]}
        if files.read(self._folder / files.ADDRESS) != address:
            files.write(self._folder / files.ADDRESS, address)
        return bound

    def _launch(self, lock: int, bound: socket.socket | None) -> int:
        waiting, go = os.pipe()
        server = os.fork()
        if server == 0:
            os.close(go)
            self._become_the_server(lock, bound, waiting)
        os.close(waiting)
        if bound:
            bound.close()
        self._reached("forked")
        with _gone_unless_released(server, go):
            self._name(server)
            self._reached("named")
            if self.confined:
                self.confined.group.join(server)
            os.write(go, GO)
        self._reached("released")
        return server

    def _name(self, server: int) -> None:
        identity = identify(server)
        if identity is None:
            raise NotStarted(Outcome.FAILED, "it ended before its pid was known")
        files.write(self._folder / files.PID, identity._asdict())

    def _become_the_server(self, lock: int, bound: socket.socket | None, waiting: int) -> NoReturn:
        try:
            os.setsid()
            _restore_signals()
            log = os.open(self._folder / files.LOG, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            os.dup2(log, 1)
            os.dup2(log, 2)
            if os.read(waiting, 1) == GO:
                self._execute(lock, bound)
        finally:
            os._exit(127)

    def _execute(self, lock: int, bound: socket.socket | None) -> None:
        os.set_inheritable(lock, True)
        places = {}
        if bound:
            places["port"] = str(bound.getsockname()[1])
        if bound and self._instructions.takes_descriptor:
            bound.set_inheritable(True)
            places["descriptor"] = str(bound.fileno())
        argv = self._instructions.command(places)
        if self._room.cpus:
            with contextlib.suppress(OSError):  # Some may be gone since; it shares the others.
                os.sched_setaffinity(0, self._room.cpus)
        try:
            os.execvpe(argv[0], argv, self._instructions.environment(places))
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            os.write(2, f"cannot run {argv[0]}: {reason}\n".encode())

    def _reached(self, point: str) -> None:
        if number := self._instructions.strikes.get(point):
            os.kill(os.getpid(), number)


@contextlib.contextmanager
def _gone_unless_released(server: int, go: int) -> Iterator[None]:
    """A server that may not run on its own ends, and with it its hold on the lock."""
    try:
        yield
    except BaseException:
        os.close(go)
        os.waitpid(server, 0)
        raise
    os.close(go)


def _first_bound(ports: list[int]) -> socket.socket:
    reason = ""
    for port in ports:
        candidate = socket.socket()
        candidate.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # uvicorn sets it on no socket it is handed, and each answer would wait 40 ms for a delayed ACK.
        candidate.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            candidate.bind((LOOPBACK, port))
        except OSError as error:
            candidate.close()
            reason = f"port {port} of {LOOPBACK}: {error.strerror}"
        else:
            return candidate
    raise NotStarted(Outcome.NO_PORT, reason)


def _restore_signals() -> None:
    """What is ignored would stay so in the server."""
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


if __name__ == "__main__":
    sys.exit(main())
