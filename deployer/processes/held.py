"""Starts and stops a process that is held by a lock in a folder of its own."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path

import deployer
from deployer.errors import EngineError, EngineUnavailable, PortTaken
from deployer.processes import files
from deployer.processes.folder import ProcessFolder
from deployer.processes.identity import LINUX, Identity
from deployer.processes.instructions import NO_ROOM, Instructions, Outcome, Room
from deployer.processes.passing import AGAIN

PACKAGE_PARENT = str(Path(deployer.__path__[0]).resolve().parent)
STARTER_FLAGS = ("-P", "-S") if LINUX else ("-P",)
"""Without site-packages it starts sooner; elsewhere than on Linux it needs psutil."""
LOG_LIMIT = 10 * 1024 * 1024
STABLE_S = 600.0
KILL_PATIENCE_S = 10.0
ELSEWHERE_PATIENCE_S = 1.0
POLL_S = 0.01


class HeldProcess(ProcessFolder):
    """One server process that outlives whoever started it. Its folder must hold `lock` and `wanted`."""

    def start(
        self,
        argv: Sequence[str],
        env: Mapping[str, str],
        *,
        fill: Mapping[str, str] | None = None,
        filled: Collection[str] = (),
        ports: Sequence[int] = (),
        takes_descriptor: bool = False,
        log_limit: int = LOG_LIMIT,
        stable_s: float = STABLE_S,
        stands: Mapping[str, str] | None = None,
        deadline_s: float = 30,
        strikes: Mapping[str, int] | None = None,
        room: Room = NO_ROOM,
        guard: int = -1,
    ) -> Outcome:
        """Start it, if it is wanted running and does not run; returns once it runs, ready or not.

        Args:
            env: its whole environment; nothing is inherited.
            fill: what stands for `{name}` in `argv` and in the `filled` variables; `{port}` and
                `{descriptor}` are known without.
            ports: the first that can be bound on loopback becomes its `port()`.
            takes_descriptor: it inherits the bound socket instead of binding the port itself.
            log_limit: bytes that its log may take, roughly.
            stable_s: a run of so many seconds has its starts counted anew.
            stands: files of the folder by name, as they were read; where they hold something else it is another's.
            strikes: signals that its starter sends itself, by the point it has reached; for tests.
            room: what it may use of the machine.
            guard: a descriptor that its starter keeps open until it runs and its room is written down, whoever asked
                may die meanwhile.

        Returns:
            STARTED, or why not: ALREADY_RUNS, DELETED or NOT_WANTED.

        Raises:
            PortTaken: none of the ports can be bound.
            EngineUnavailable: it was not done within `deadline_s` seconds, or broke off.
            EngineError: the system refuses.
        """
        if self.held():
            return Outcome.ALREADY_RUNS
        told = Instructions(
            argv=list(argv),
            env=dict(env),
            fill=dict(fill or {}),
            filled=list(filled),
            ports=list(ports),
            takes_descriptor=takes_descriptor,
            log_limit=log_limit,
            stable_s=stable_s,
            stands=dict(stands or {}),
            strikes=dict(strikes or {}),
            room=room._asdict(),
            guard=guard,
        )
        return self._outcome(self._run_starter(told, deadline_s))

    def stop(self, grace_s: float, still: Callable[[], bool] = files.always) -> None:
        """End its process group, by force after `grace_s` seconds; returns once it does not run.

        Args:
            still: asked before each signal whether the folder is the one that was meant; if not, all is done.

        Raises:
            EngineError: it runs in another pid namespace, or does not end even so.
        """
        began, sent = time.monotonic(), set[tuple[Identity, int]]()
        while self.held():
            elapsed, identity = time.monotonic() - began, self.identity()
            if not still():  # Asked after the identity was read: that is then the one that was meant.
                return
            number = signal.SIGTERM if elapsed < grace_s else signal.SIGKILL
            if elapsed > grace_s + KILL_PATIENCE_S:
                raise self._does_not_end(identity)
            if identity and identity.is_elsewhere and elapsed > ELSEWHERE_PATIENCE_S:
                raise self._runs_elsewhere(identity)
            if identity and (identity, number) not in sent and self._signal(identity, number):
                sent.add((identity, number))
            time.sleep(POLL_S)

    def _run_starter(self, told: Instructions, deadline_s: float) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, *STARTER_FLAGS, "-m", "deployer.processes.starter", str(self.folder)]
        env = {"PYTHONPATH": PACKAGE_PARENT, "PATH": os.environ.get("PATH", os.defpath)}
        try:
            return subprocess.run(
                command,
                input=told.as_json(),
                env=env,
                capture_output=True,
                text=True,
                timeout=deadline_s,
                check=False,
                pass_fds=[told.guard] if told.guard >= 0 else [],
            )
        except subprocess.TimeoutExpired:
            what = f"{self.folder.name} was not started within {deadline_s:g} s"
            raise EngineUnavailable(what, hint="The machine may be overloaded: try again.") from None
        except OSError as error:
            raise EngineUnavailable(f"{self.folder.name} could not be started: {error.strerror}") from None

    def _outcome(self, done: "subprocess.CompletedProcess[str]") -> Outcome:
        message = done.stderr.strip()
        if done.returncode == Outcome.NOT_NOW:
            raise EngineUnavailable(f"{self.folder.name} was not started: {message}", hint=AGAIN)
        if done.returncode == Outcome.NO_PORT:
            raise PortTaken(f"{self.folder.name} was not started: {message}", hint="End what listens there.")
        if done.returncode < 0 or done.returncode == Outcome.KILLED:
            what = f"{self.folder.name} was not started: its starter was killed"
            raise EngineUnavailable(what, hint="Try again; the machine may be short of memory.")
        if done.returncode not in set(Outcome) - {Outcome.FAILED}:
            what = f"{self.folder.name} was not started: {message.rpartition(chr(10))[2]}"
            raise EngineError(what, hint=f"See to {self.folder}, then try again.")
        return Outcome(done.returncode)

    def _signal(self, identity: Identity, number: int) -> bool:
        if not identity.lives:
            return False
        try:
            os.killpg(identity.pid, number)
        except ProcessLookupError:
            return False
        except PermissionError:
            what = f"{self.folder.name} runs as another user's process {identity.pid}"
            raise EngineError(what, hint="Stop it as that user.") from None
        return True

    def _does_not_end(self, identity: Identity | None) -> EngineError:
        of = f"process {identity.pid}" if identity else "a process unknown"
        what = f"{self.folder.name} did not end: {of} or a child of it still holds {self.folder / files.LOCK}"
        return EngineError(what, hint="Find who holds it with `lsof`, end it, then try again.")

    def _runs_elsewhere(self, identity: Identity) -> EngineError:
        what = f"{self.folder.name} runs as process {identity.pid} of another container: {identity.namespace}"
        return EngineError(what, hint="Stop it from there: its pid means another process here.")
