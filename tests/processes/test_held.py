import errno
import io
import json
import os
import resource
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from deployer.errors import EngineError, EngineUnavailable, PortTaken
from deployer.processes import files, locks, starter
from deployer.processes.held import HeldProcess
from deployer.processes.identity import identify
from deployer.processes.instructions import Instructions, NotStarted, Outcome
from deployer.testing.stranger import can_be_had, stranger

SLEEPS = "import time; time.sleep(60)"
IGNORES_TERM = "import signal, time; signal.signal(15, signal.SIG_IGN); print('deaf', flush=True); time.sleep(60)"
GOES_INTO_THE_BACKGROUND = """
import os, time
if os.fork() == 0:
    os.setsid()
    print(os.getpid(), flush=True)
    time.sleep(60)
"""
DEAF_CHILD = f"import subprocess, sys; c = subprocess.Popen([sys.executable, '-c', {IGNORES_TERM!r}]); "
DIE_AT = ["locked", "counted", "addressed", "forked", "named", "released"]
NOTHING: Mapping[str, str] = {}
TOLD = Instructions([], {}, {}, [], [], False, 0, 0, {}, {})


def python(code: str) -> list[str]:
    return [sys.executable, "-I", "-S", "-c", code]


def until(condition: Callable[[], bool], within_s: float = 10) -> None:
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, "it did not come about in time"
        time.sleep(0.01)


def server_of(process: HeldProcess) -> psutil.Process:
    identity = process.identity()
    assert identity
    return psutil.Process(identity.pid)


def age_of(process: HeldProcess) -> float | None:
    with process.resting() as resting:
        return process.age_if(resting)


def kill_starter(process: HeldProcess) -> None:
    starter = server_of(process).parent()
    assert starter
    assert "deployer.processes.starter" in starter.cmdline()
    starter.kill()
    until(lambda: server_of(process).ppid() != starter.pid)


@contextmanager
def killed_afterwards(pid: int) -> Iterator[None]:
    try:
        yield
    finally:
        psutil.Process(pid).kill()


def written(process: HeldProcess) -> str:
    return "\n".join(process.log().tail(1000))


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


def test_a_started_process_runs_without_whoever_started_it(process: HeldProcess) -> None:
    assert not process.held()
    assert process.ending() is None
    assert age_of(process) is None
    assert process.start(python(SLEEPS), NOTHING) is Outcome.STARTED
    server = server_of(process)
    assert process.held()
    until(lambda: os.getsid(server.pid) == os.getpgid(server.pid) == server.pid)
    assert os.getpid() not in [parent.pid for parent in server.parents()]
    assert process.starts() == 1
    assert 0 <= (age_of(process) or 0) < 10


def test_it_ends_on_term_and_says_so(process: HeldProcess) -> None:
    process.start(python(SLEEPS), NOTHING)
    process.stop(10)
    ending = process.ending()
    assert not process.held()
    assert ending
    assert (ending.exit_code, ending.message) == (-signal.SIGTERM, "it was ended by SIGTERM")
    assert 0 <= ending.ago_s < 10


def test_one_that_ignores_term_is_killed_after_its_grace(process: HeldProcess) -> None:
    process.start(python(IGNORES_TERM), NOTHING)
    until(lambda: "deaf" in written(process))
    began = time.monotonic()
    process.stop(0.3)
    ending = process.ending()
    assert time.monotonic() - began >= 0.3
    assert ending
    assert ending.exit_code == -signal.SIGKILL


def test_a_frozen_one_is_killed_after_its_grace(process: HeldProcess) -> None:
    process.start(python(SLEEPS), NOTHING)
    server_of(process).suspend()
    process.stop(0.2)
    assert not process.held()


def test_stopping_what_does_not_run_does_nothing(process: HeldProcess) -> None:
    process.stop(1)
    process.start(python(""), NOTHING)
    until(lambda: not process.held())
    process.stop(1)
    assert process.ending()


@pytest.mark.parametrize("code", [0, 3, 255])
def test_its_exit_code_is_kept(process: HeldProcess, code: int) -> None:
    process.start(python(f"raise SystemExit({code})"), NOTHING)
    until(lambda: not process.held())
    ending = process.ending()
    assert ending
    assert (ending.exit_code, ending.message) == (code, f"it exited with code {code}")


def test_a_killed_one_is_known_by_its_signal(process: HeldProcess) -> None:
    process.start(python(SLEEPS), NOTHING)
    server_of(process).kill()
    until(lambda: not process.held())
    ending = process.ending()
    assert ending
    assert ending.exit_code == -signal.SIGKILL
    assert "SIGKILL" in ending.message


def test_a_program_that_is_not_there_is_told_in_the_log(process: HeldProcess) -> None:
    assert process.start(["no-such-program"], {"PATH": "/usr/bin:/bin"}) is Outcome.STARTED
    until(lambda: not process.held())
    ending = process.ending()
    assert ending
    assert ending.exit_code == 127
    assert written(process) == "cannot run no-such-program: No such file or directory"


def test_an_earlier_ending_is_forgotten_by_a_new_start(process: HeldProcess) -> None:
    process.start(python("raise SystemExit(3)"), NOTHING)
    until(lambda: not process.held())
    process.start(python(SLEEPS), NOTHING)
    assert process.ending() is None
    assert process.starts() == 2
    server_of(process).kill()
    until(lambda: not process.held())
    ending = process.ending()
    assert ending
    assert ending.exit_code == -signal.SIGKILL


def test_children_that_it_leaves_end_too(process: HeldProcess) -> None:
    process.start(python(DEAF_CHILD + "print(c.pid, flush=True)"), NOTHING)
    until(lambda: not process.held())
    child = int(next(line for line in written(process).splitlines() if line.isdigit()))
    until(lambda: not psutil.pid_exists(child) or psutil.Process(child).status() == psutil.STATUS_ZOMBIE)


def test_its_environment_is_exactly_what_was_given(process: HeldProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEPLOYERS_SECRET", "hush")
    given = {"LC_ALL": "C.UTF-8", "A": "1", "TOKEN": "{port} stays"}
    process.start(python("import json, os; print(json.dumps(dict(os.environ)), flush=True)"), given)
    until(lambda: not process.held())
    assert json.loads(written(process)) == given


def test_secrets_are_neither_in_arguments_nor_on_the_disk(process: HeldProcess) -> None:
    process.start(python(SLEEPS), {"TOKEN": "hush-hush"})
    starter = server_of(process).parent()
    assert starter
    assert "hush-hush" not in " ".join([*starter.cmdline(), *starter.environ().values(), *server_of(process).cmdline()])
    assert not [path for path in process.folder.iterdir() if "hush-hush" in path.read_text()]


def test_the_server_inherits_no_ignored_signals_and_only_the_lock(process: HeldProcess) -> None:
    code = "import os, signal; print(signal.pthread_sigmask(0, ()), int(signal.getsignal(1)), os.listdir('/dev/fd'))"
    previous = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        process.start(python(code), NOTHING)
    finally:
        signal.signal(signal.SIGHUP, previous)
    until(lambda: not process.held())
    mask, hangup = written(process).split()[:2]
    assert (mask, hangup) == ("set()", "0")
    descriptors = written(process).partition("[")[2].count("'") // 2
    assert descriptors == 3 + 1 + 1  # standard ones, the lock, and the one that lists them


def test_the_first_port_that_can_be_bound_is_its_address(process: HeldProcess) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        ports = [taken.getsockname()[1], free_port()]
        code = "import sys, time; print(sys.argv[1:], flush=True)"
        process.start([*python(code), "--port={port}", "{model}"], NOTHING, ports=ports, fill={"model": "/m/{port}"})
    until(lambda: not process.held())
    assert process.port() == ports[1]
    assert written(process) == f"['--port={ports[1]}', '/m/{{port}}']"


def test_only_named_variables_are_filled(process: HeldProcess) -> None:
    port, env = free_port(), {"PORT": "{port}", "USERS": "{port}"}
    code = "import os; print(os.environ['PORT'], os.environ['USERS'])"
    process.start(python(code), env, ports=[port], filled=["PORT"])
    until(lambda: not process.held())
    assert written(process) == f"{port} {{port}}"


def test_a_server_that_takes_a_descriptor_gets_the_bound_socket(process: HeldProcess) -> None:
    port = free_port()
    code = "import socket, sys; s = socket.socket(fileno=int(sys.argv[1])); print(s.getsockname()[1])"
    process.start([*python(code), "{descriptor}"], NOTHING, ports=[port], takes_descriptor=True)
    until(lambda: not process.held())
    assert written(process) == str(port)


def test_no_port_to_be_had_is_an_error(process: HeldProcess) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(PortTaken) as raised:
        process.start(python(SLEEPS), NOTHING, ports=[taken.getsockname()[1]])
    assert str(taken) not in str(raised.value)
    assert "Address already in use" in str(raised.value)
    assert not process.held()


def test_only_what_is_wanted_running_starts(process: HeldProcess) -> None:
    process.mark("stopped", "asked to")
    assert process.start(python(SLEEPS), NOTHING) is Outcome.NOT_WANTED
    assert not process.held()
    assert process.starts() == 0


def test_a_deleted_one_does_not_start(tmp_path: Path) -> None:
    assert HeldProcess(tmp_path / "gone").start(python(SLEEPS), NOTHING) is Outcome.DELETED
    (tmp_path / "empty").mkdir()
    assert HeldProcess(tmp_path / "empty").start(python(SLEEPS), NOTHING) is Outcome.DELETED


def test_one_that_is_deleted_and_made_anew_while_its_starter_waits_is_not_started(
    process: HeldProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    def made_anew_meanwhile(lock: int) -> bool:
        process.folder.rename(process.folder.with_name("gone"))
        process.prepare()
        return True

    monkeypatch.setattr(locks, "exclusive", made_anew_meanwhile)
    with pytest.raises(NotStarted) as reason:
        starter._Start(process.folder, TOLD).run()
    assert reason.value.outcome is Outcome.DELETED


def test_a_start_that_cannot_write_is_an_error_that_names_the_reason(process: HeldProcess) -> None:
    (process.folder / files.STARTS).mkdir()
    with pytest.raises(EngineError, match="Is a directory"):
        process.start(python(SLEEPS), NOTHING)
    assert not process.held()


def test_a_starter_that_lacks_descriptors_is_asked_again(
    process: HeldProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole: Any = subprocess.run
    said = set[str]()
    for limit in range(5, 16):

        def run(*args: Any, limit: int = limit, **named: Any) -> Any:
            limited = (limit, limit)
            return whole(*args, **named, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, limited))

        monkeypatch.setattr(subprocess, "run", run)
        try:
            said.add(process.start(python(SLEEPS), NOTHING, ports=[free_port()]).name)
        except EngineUnavailable as error:
            assert "Too many open files" in str(error) and not process.held()
            said.add("again")
        process.stop(0)
    assert said == {"again", "STARTED"}


def test_a_starter_that_cannot_fork_just_now_is_asked_again(
    process: HeldProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fork() -> int:
        raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))

    monkeypatch.setattr(os, "fork", fork)
    monkeypatch.setattr(sys, "argv", ["starter", str(process.folder)])
    monkeypatch.setattr(sys, "stdin", io.StringIO(TOLD.as_json()))
    assert starter.main() == Outcome.NOT_NOW


def test_one_that_runs_is_not_started_again(process: HeldProcess) -> None:
    process.start(python(SLEEPS), NOTHING)
    server = server_of(process)
    assert process.start(python(SLEEPS), NOTHING) is Outcome.ALREADY_RUNS
    assert server_of(process) == server
    assert process.starts() == 1


def test_twenty_starts_at_once_give_one_instance(process: HeldProcess) -> None:
    code = "import os, time; print(os.getpid(), flush=True); time.sleep(60)"
    with ThreadPoolExecutor(20) as pool:
        outcomes = list(pool.map(lambda _: process.start(python(code), NOTHING), range(20)))
    assert sorted(outcomes) == [Outcome.STARTED] + [Outcome.ALREADY_RUNS] * 19
    until(lambda: written(process) != "")
    assert written(process) == str(server_of(process).pid)
    assert process.starts() == 1


def test_observers_do_not_hinder_a_start(process: HeldProcess) -> None:
    with ThreadPoolExecutor(2) as pool:
        running = [True]

        def observe() -> None:
            while running:
                process.held()

        watching = pool.submit(observe)
        try:
            assert process.start(python(SLEEPS), NOTHING) is Outcome.STARTED
        finally:
            running.clear()
        watching.result(10)


@pytest.mark.parametrize("point", DIE_AT)
def test_a_starter_killed_on_its_way_leaves_nothing_unknown(process: HeldProcess, point: str) -> None:
    with pytest.raises(EngineUnavailable):
        process.start(python(SLEEPS), NOTHING, ports=[free_port()], strikes={point: signal.SIGKILL})
    if point == "released":
        assert process.held()
        assert server_of(process).status() != psutil.STATUS_ZOMBIE
        process.stop(10)
    until(lambda: not process.held())
    assert process.start(python(SLEEPS), NOTHING, ports=[free_port()]) is Outcome.STARTED
    assert process.held()


def test_the_starters_death_harms_nothing(process: HeldProcess) -> None:
    process.start(python(IGNORES_TERM), NOTHING)
    until(lambda: "deaf" in written(process))
    server = server_of(process)
    kill_starter(process)
    assert process.held()
    assert process.start(python(SLEEPS), NOTHING) is Outcome.ALREADY_RUNS
    process.stop(0.1)
    ending = process.ending()
    assert not server.is_running() or server.status() == psutil.STATUS_ZOMBIE
    assert ending
    assert ending.exit_code is None


def test_a_starter_that_is_asked_to_end_stays_to_see_the_end(process: HeldProcess) -> None:
    process.start(python(SLEEPS), NOTHING)
    starter = server_of(process).parent()
    assert starter
    starter.terminate()
    process.stop(10)
    ending = process.ending()
    assert ending
    assert ending.exit_code == -signal.SIGTERM


def test_a_recycled_pid_is_never_signalled(process: HeldProcess, tmp_path: Path) -> None:
    stranger = HeldProcess(tmp_path / "stranger")
    stranger.prepare()
    try:
        stranger.start(python(SLEEPS), NOTHING)
        process.start(python(IGNORES_TERM), NOTHING)
        until(lambda: "deaf" in written(process))
        own, recycled = process.identity(), identify(server_of(stranger).pid)
        assert own
        assert recycled
        files.write(process.folder / files.PID, recycled._replace(start=own.start)._asdict())
        with pytest.raises(EngineError, match="did not end"):
            process.stop(-9.5)
        assert stranger.held()
        files.write(process.folder / files.PID, own._asdict())
    finally:
        stranger.stop(0)


@pytest.mark.skipif(not can_be_had(), reason="only root, on Linux, can have a pid given out again at once")
def test_who_got_the_pid_of_a_server_that_went_into_the_background_is_never_signalled(process: HeldProcess) -> None:
    process.start(python(GOES_INTO_THE_BACKGROUND), NOTHING)
    own = process.identity()
    assert own
    until(lambda: not psutil.pid_exists(own.pid) and written(process) != "")
    with killed_afterwards(int(written(process))), stranger(own.pid) as somebody:
        assert process.held()
        with pytest.raises(EngineError, match="did not end"):
            process.stop(-9.5)
        assert somebody.harm() == ""


def test_a_server_that_went_into_the_background_ages_as_any_other(process: HeldProcess) -> None:
    os.utime(process.folder / files.LOCK, (1, 1))
    process.start(python(GOES_INTO_THE_BACKGROUND), NOTHING, stable_s=0)
    until(lambda: written(process) != "" and not psutil.pid_exists((process.identity() or pytest.fail()).pid))
    with killed_afterwards(int(written(process))):
        assert process.held()
        assert 0 <= (age_of(process) or 0) < 10
        os.utime(process.folder / files.LOCK, (time.time() - 100, time.time() - 100))
        process.forget_starts()
        assert 99 < (age_of(process) or 0) < 150


@pytest.mark.parametrize(("stable_s", "starts"), [(0.0, 0), (60.0, 1)])
def test_its_starts_are_forgotten_once_it_ran_for_long(process: HeldProcess, stable_s: float, starts: int) -> None:
    process.start(python(""), NOTHING, stable_s=stable_s)
    until(lambda: not process.held())
    assert process.starts() == starts
    assert process.ending()


def test_what_stands_in_another_folder_of_that_name_is_not_started(process: HeldProcess) -> None:
    (process.folder / "record").write_text("of the one that came after")
    for stands in ({"record": "of the one that was there"}, {"launch": "gone"}):
        assert process.start(python(SLEEPS), NOTHING, stands=stands) is Outcome.DELETED
        assert (process.held(), process.starts()) == (False, 0)
    stands = {"record": "of the one that came after"}
    assert process.start(python(SLEEPS), NOTHING, stands=stands) is Outcome.STARTED


def test_what_is_no_longer_to_be_stopped_is_not_signalled(process: HeldProcess) -> None:
    """Its folder may have gone, and another of its name have come, since it was asked for."""
    process.start(python(SLEEPS), NOTHING)
    process.stop(0, still=lambda: False)
    assert process.held()


def test_a_mark_that_is_no_longer_to_be_made_changes_nothing(process: HeldProcess) -> None:
    process.mark("stopped", "too late", still=lambda: False)
    assert files.read(process.folder / files.WANTED)["state"] == files.RUNNING
    assert not [path.name for path in process.folder.iterdir() if path.name.startswith(".")]


def test_a_pid_of_what_does_not_run_is_never_signalled(process: HeldProcess, tmp_path: Path) -> None:
    stranger = HeldProcess(tmp_path / "stranger")
    stranger.prepare()
    try:
        stranger.start(python(SLEEPS), NOTHING)
        files.write(process.folder / files.PID, (stranger.identity() or pytest.fail())._asdict())
        process.stop(0)
        assert stranger.held()
    finally:
        stranger.stop(0)


def test_one_that_runs_in_another_container_is_not_signalled_but_told(process: HeldProcess) -> None:
    process.start(python(SLEEPS), NOTHING)
    own = process.identity()
    assert own
    files.write(process.folder / files.PID, own._replace(namespace="pid:[1]")._asdict())
    try:
        with pytest.raises(EngineError, match="another container"):
            process.stop(0)
        assert process.held()
        assert (age_of(process) or 0) > 0
    finally:
        files.write(process.folder / files.PID, own._asdict())


def test_after_a_reboot_it_has_ended_unseen(process: HeldProcess) -> None:
    process.start(python(SLEEPS), NOTHING)
    own = process.identity()
    assert own
    process.stop(0)
    (process.folder / files.ENDED).unlink()
    files.write(process.folder / files.PID, own._replace(boot="earlier")._asdict())
    ending = process.ending()
    assert ending
    assert ending.exit_code is None
    assert "restarted" in ending.message


def test_no_process_is_one_of_an_earlier_boot(process: HeldProcess) -> None:
    process.start(python(SLEEPS), NOTHING)
    own = process.identity()
    assert own and own.lives
    assert not own._replace(boot="earlier").lives


def test_an_ending_of_before_a_reboot_is_as_old_as_its_file(process: HeldProcess) -> None:
    process.start(python("raise SystemExit(3)"), NOTHING)
    until(lambda: not process.held())
    ended = process.folder / files.ENDED
    files.write(ended, {**files.read(ended), "boot": "earlier", "at": 10.0**9})
    os.utime(ended, (time.time() - 100, time.time() - 100))
    ending = process.ending()
    assert ending
    assert ending.exit_code == 3
    assert 99 < ending.ago_s < 150


@pytest.mark.parametrize("earlier", [{"start": -1000.0}, {"boot": "earlier", "start": 10.0**9}])
def test_while_it_is_starting_an_earlier_start_gives_it_no_age(
    process: HeldProcess, earlier: Mapping[str, Any]
) -> None:
    process.start(python(SLEEPS), NOTHING)
    own = process.identity()
    assert own
    files.write(process.folder / files.PID, {**own._asdict(), **earlier})
    os.utime(process.folder / files.PID, (1, 1))
    assert 0 <= (age_of(process) or 0) < 10
    with pytest.raises(EngineError, match="did not end"):
        process.stop(-9.5)
    files.write(process.folder / files.PID, own._asdict())


def test_its_log_is_kept_within_its_size_and_its_end_can_be_read(process: HeldProcess) -> None:
    code = "import time\nfor n in range(10**9): print(n, flush=True); time.sleep(0.0005)"
    process.start(python(code), NOTHING, log_limit=4000)
    reader = process.log()
    seen = reader.tail(1)

    def cut() -> bool:
        seen.extend(reader.more())
        return (process.folder / "log.1").exists()

    until(cut, 15)
    seen += reader.more()
    process.stop(5)
    tail, numbers = [int(line) for line in process.log().tail(50)], [int(line) for line in seen]
    assert len(tail) == 50
    for found in (tail, numbers):
        assert found == sorted(set(found)), "a line came twice, or out of its order; at a cut one may be lost"


def test_a_start_that_is_not_done_in_time_is_an_error(process: HeldProcess) -> None:
    with pytest.raises(EngineUnavailable, match="within"):
        process.start(python(SLEEPS), NOTHING, deadline_s=0.001)
    until(lambda: not process.held() or process.identity() is not None)
