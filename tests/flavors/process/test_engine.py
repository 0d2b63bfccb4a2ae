import json
import os
import shutil
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from threading import Barrier

import psutil
import pytest

from deployer import ports
from deployer.config import Probes
from deployer.engine import Engine, Health, KeepsLogs, Phase, ReportsUnreadable, Wanted, Workload
from deployer.errors import EngineError, EngineUnavailable, ModelGone, SecretUnresolved, WorkloadExists
from deployer.flavors.process.engine import ProcessEngine
from deployer.flavors.process.folder import WorkloadFolder
from deployer.processes.held import HeldProcess
from deployer.processes.identity import boot_id
from deployer.records.record import Record
from tests.flavors.process.conftest import PYTHON, look, spec, started, until

TELL = "import json, os, sys; print(json.dumps([sys.argv[1:], dict(os.environ)]), flush=True)"
TELLS = (*PYTHON[:3], "-c", TELL)


def port_of(workload: Workload) -> int:
    return int(workload.address.rpartition(":")[2])


def pid_of(root: Path, workload: Workload) -> int:
    identity = HeldProcess(root / str(workload.ref)).identity()
    assert identity
    return identity.pid


def ready(engine: ProcessEngine, workload: Workload) -> bool:
    return engine.probe([workload], 5)[workload.ref].health is Health.READY


def ended(engine: ProcessEngine, workload: Workload) -> Workload:
    until(lambda: look(engine, workload.ref).phase is Phase.ENDED)
    return look(engine, workload.ref)


def told(engine: ProcessEngine, workload: Workload) -> tuple[list[str], dict[str, str]]:
    ended(engine, workload)
    arguments, environment = json.loads(next(iter(engine.log(workload.ref, 1))))
    return arguments, environment


def test_it_fulfils_the_contracts(engine: ProcessEngine) -> None:
    fulfils: Engine = engine
    assert isinstance(fulfils, KeepsLogs)
    assert isinstance(fulfils, ReportsUnreadable)


def test_an_engine_that_was_never_used_lists_nothing_and_makes_nothing(engine: ProcessEngine, root: Path) -> None:
    assert engine.list() == []
    assert engine.unreadable() == []
    engine.sweep()
    assert not root.exists()


def test_what_is_created_is_complete_and_not_started(engine: ProcessEngine, root: Path) -> None:
    wish = spec()
    created = engine.create(wish)
    listed = engine.list()
    assert [replace(workload, age_s=0) for workload in listed] == [created]
    assert created.record == wish.record
    assert (created.wanted, created.phase, created.starts) == (Wanted.RUNNING, Phase.CREATED, 0)
    assert created.stamps_revision
    assert 0 <= listed[0].age_s < 10
    assert os.listdir(root) == ["churn-r1"]


def test_a_revision_can_be_created_once(engine: ProcessEngine, root: Path) -> None:
    first = engine.create(spec())
    with pytest.raises(WorkloadExists):
        engine.create(spec())
    assert [workload.ref for workload in engine.list()] == [first.ref]
    assert os.listdir(root) == ["churn-r1"]


def test_of_two_who_both_find_the_place_free_only_one_gets_it(
    engine: ProcessEngine, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os.path, "lexists", lambda path: False)
    test_a_revision_can_be_created_once(engine, root)


def test_of_many_who_create_one_revision_at_once_one_succeeds(engine: ProcessEngine, root: Path) -> None:
    everyone = Barrier(8)

    def create(_: int) -> bool:
        everyone.wait(10)
        try:
            engine.create(spec())
        except WorkloadExists:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(create, range(8))) == [False] * 7 + [True]
    assert os.listdir(root) == ["churn-r1"]


def test_workloads_are_listed_by_server(engine: ProcessEngine) -> None:
    for name, revision in [("churn", 2), ("churn", 10), ("churn-r", 1), ("fraud", 1)]:
        engine.create(spec(name=name, revision=revision))
    assert [str(workload.ref) for workload in engine.list("churn")] == ["churn-r2", "churn-r10"]
    assert [str(workload.ref) for workload in engine.list()] == ["churn-r2", "churn-r10", "churn-r-r1", "fraud-r1"]


def test_ports_are_distinct_and_not_the_systems_to_hand_out(engine: ProcessEngine) -> None:
    given = [port_of(engine.create(spec(revision=revision))) for revision in range(1, 20)]
    assert len(set(given)) == len(given)
    assert not [port for port in given if port in ports.ephemeral()]


def test_a_started_workload_becomes_ready_and_keeps_running(engine: ProcessEngine) -> None:
    workload = started(engine, spec())
    until(lambda: ready(engine, workload))
    assert (workload.phase, workload.starts, workload.ending) == (Phase.RUNNING, 1, None)
    assert 0 <= workload.age_s < 10


def test_a_runtime_that_takes_a_descriptor_serves_on_the_bound_socket(engine: ProcessEngine) -> None:
    workload = started(engine, spec(argv=(*PYTHON, "--descriptor={descriptor}"), takes_descriptor=True))
    until(lambda: ready(engine, workload))


def test_a_port_owned_by_a_child_of_the_server_is_its_own(engine: ProcessEngine) -> None:
    workload = started(engine, spec("--in-child"))
    until(lambda: ready(engine, workload))


def test_starting_twice_is_starting_once(engine: ProcessEngine, root: Path) -> None:
    workload = started(engine, spec())
    pid = pid_of(root, workload)
    engine.start(workload.ref)
    assert pid_of(root, workload) == pid
    assert look(engine, workload.ref).starts == 1


def test_places_are_filled_in_arguments_and_the_runtimes_variables_alone(
    engine: ProcessEngine, models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREFECT_API_KEY", "the deployer's own")
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    wish = spec(
        argv=(*TELLS, "{model}", "{revision}", "{other}"),
        launch_env={"MODEL": "{model}", "WHO": "runtime"},
        env={"WHO": "{port}", "PORT": "1"},
        secrets={"TOKEN": "env:THERE"},
    )
    workload = started(engine, wish)
    arguments, environment = told(engine, workload)
    assert arguments == [str(models / "d1"), "1", "{other}"]
    assert environment["MODEL"] == str(models / "d1")
    assert (environment["WHO"], environment["TOKEN"]) == ("{port}", "hush-hush")
    assert (environment["PORT"], environment["PYTHONDONTWRITEBYTECODE"]) == (str(port_of(workload)), "1")
    assert environment["OMP_NUM_THREADS"] == "3"
    assert "PREFECT_API_KEY" not in environment


def test_a_secret_is_nowhere_in_the_folder(engine: ProcessEngine, root: Path) -> None:
    workload = started(engine, spec(secrets={"TOKEN": "env:THERE"}))
    assert not [path for path in (root / str(workload.ref)).iterdir() if "hush-hush" in path.read_text()]


def test_without_its_secret_it_is_not_started(engine: ProcessEngine) -> None:
    with pytest.raises(SecretUnresolved):
        started(engine, spec(secrets={"TOKEN": "env:NOT_THERE"}))
    assert engine.list()[0].phase is Phase.CREATED


def test_without_its_models_bytes_it_is_not_started(engine: ProcessEngine, models: Path) -> None:
    shutil.rmtree(models)
    with pytest.raises(ModelGone):
        started(engine, spec())
    assert engine.list()[0].phase is Phase.CREATED


@pytest.mark.parametrize("wanted", [Wanted.STOPPED, Wanted.REFUSED])
def test_a_mark_is_kept_with_its_cause_and_hinders_a_start(engine: ProcessEngine, wanted: Wanted) -> None:
    ref = engine.create(spec()).ref
    engine.mark(ref, wanted, "because")
    engine.start(ref)
    workload = look(engine, ref)
    assert (workload.wanted, workload.cause, workload.phase) == (wanted, "because", Phase.CREATED)


def test_stop_ends_it_and_start_brings_it_back_on_the_same_port(engine: ProcessEngine) -> None:
    workload = started(engine, spec())
    engine.stop(workload.ref, 5)
    stopped = look(engine, workload.ref)
    assert stopped.phase is Phase.ENDED
    assert stopped.ending
    assert stopped.ending.message == "it was ended by SIGTERM"
    engine.stop(workload.ref, 5)
    engine.mark(workload.ref, Wanted.RUNNING, "again")
    assert look(engine, workload.ref).starts == 0
    engine.start(workload.ref)
    again = look(engine, workload.ref)
    assert (again.phase, again.starts, again.address) == (Phase.RUNNING, 1, workload.address)


def test_what_was_stopped_died_no_death_of_its_own_so_its_starts_are_counted_anew(engine: ProcessEngine) -> None:
    workload = started(engine, spec())
    engine.stop(workload.ref, 5)
    assert look(engine, workload.ref).starts == 0
    engine.start(workload.ref)
    assert look(engine, workload.ref).starts == 1


def test_starts_are_counted_until_it_is_marked_running_anew(engine: ProcessEngine) -> None:
    workload = started(engine, spec(argv=(*TELLS,)))
    for _ in range(2):
        ended(engine, workload)
        engine.start(workload.ref)
    assert look(engine, workload.ref).starts == 3


def test_how_it_ended_is_told(engine: ProcessEngine) -> None:
    workload = ended(engine, started(engine, spec(argv=(*PYTHON[:3], "-c", "raise SystemExit(7)"))))
    assert workload.ending
    assert (workload.ending.exit_code, workload.ending.message) == (7, "it exited with code 7")
    assert not workload.port_lost


def test_a_stranger_on_its_port_before_it_was_ready_is_told_and_the_next_start_takes_another(
    engine: ProcessEngine,
) -> None:
    created = engine.create(spec(argv=(*PYTHON[:3], "-c", "raise SystemExit(1)")))
    engine.start(created.ref)
    ended(engine, created)
    with socket.create_server(("127.0.0.1", port_of(created))):
        assert look(engine, created.ref).port_lost
        engine.start(created.ref)
        again = ended(engine, created)
    assert port_of(again) != port_of(created)
    assert not again.port_lost


def test_a_killed_server_has_ended_and_can_be_started_again(engine: ProcessEngine, root: Path) -> None:
    workload = started(engine, spec())
    psutil.Process(pid_of(root, workload)).kill()
    assert ended(engine, workload).wanted is Wanted.RUNNING
    engine.start(workload.ref)
    until(lambda: ready(engine, workload))


def test_delete_refuses_what_runs_and_removes_what_does_not(engine: ProcessEngine, root: Path) -> None:
    workload = started(engine, spec())
    with pytest.raises(EngineError, match="runs"):
        engine.delete(workload.ref)
    assert look(engine, workload.ref).phase is Phase.RUNNING
    engine.stop(workload.ref, 5)
    engine.delete(workload.ref)
    engine.delete(workload.ref)
    assert os.listdir(root) == []


def test_delete_does_not_take_one_who_looks_for_one_that_runs(engine: ProcessEngine, root: Path) -> None:
    """A deployer may be suspended while it looks."""
    ref = engine.create(spec()).ref
    with WorkloadFolder(root / str(ref)).resting() as resting:
        assert resting
        with pytest.raises(EngineUnavailable, match="looking at it"):
            engine.delete(ref)
    engine.delete(ref)
    assert os.listdir(root) == []


def test_a_ref_with_another_token_does_nothing(engine: ProcessEngine) -> None:
    workload = started(engine, spec())
    other = replace(workload.ref, token="another")
    engine.mark(other, Wanted.STOPPED, "by mistake")
    engine.stop(other, 0)
    engine.start(other)
    engine.delete(other)
    assert list(engine.log(other, 10)) == []
    unchanged = look(engine, workload.ref)
    assert (unchanged.wanted, unchanged.phase, unchanged.starts) == (Wanted.RUNNING, Phase.RUNNING, 1)


def test_a_workload_that_is_gone_makes_every_operation_a_no_op(engine: ProcessEngine) -> None:
    ref = engine.create(spec()).ref
    engine.delete(ref)
    engine.mark(ref, Wanted.STOPPED, "late")
    engine.start(ref)
    engine.stop(ref, 0)
    engine.delete(ref)
    assert engine.list() == []


@pytest.mark.parametrize(
    ("file", "content"),
    [("record", "{"), ("record", "[]"), ("launch", "nonsense"), ("wanted", '{"state": "dancing"}')],
)
def test_what_cannot_be_read_is_reported_and_not_touched(
    engine: ProcessEngine, root: Path, file: str, content: str
) -> None:
    readable = engine.create(spec(revision=2)).ref
    engine.create(spec())
    spoilt = root / "churn-r1" / file
    spoilt.write_text(content)
    assert [workload.ref for workload in engine.list()] == [readable]
    (unreadable,) = engine.unreadable()
    assert unreadable.where == str(spoilt.parent)
    assert file in unreadable.reason or "mark" in unreadable.reason
    engine.sweep()
    assert spoilt.read_text() == content


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("ended", {"exit_code": 1}),
        ("ended", {"exit_code": None, "boot": boot_id(), "at": 1}),
        ("ended", {"exit_code": 1, "boot": boot_id(), "at": "noon"}),
        ("address", {"port": 70_000}),
        ("address", {"port": -1}),
    ],
)
def test_nonsense_about_the_run_of_one_is_reported_and_hides_no_other(
    engine: ProcessEngine, root: Path, file: str, content: object
) -> None:
    readable = engine.create(spec(revision=2)).ref
    spoilt = root / str(ended(engine, started(engine, spec(argv=(*PYTHON[:3], "-c", "")))).ref)
    (spoilt / file).write_text(json.dumps(content))
    assert [workload.ref for workload in engine.list()] == [readable]
    assert [unreadable.where for unreadable in engine.unreadable()] == [str(spoilt)]


def test_a_record_of_an_unknown_version_or_another_workload_is_reported(engine: ProcessEngine, root: Path) -> None:
    engine.create(spec())
    record = json.loads((root / "churn-r1" / "record").read_text())
    (root / "churn-r1" / "record").write_text(json.dumps(record | {"version": 99}))
    shutil.copytree(root / "churn-r1", root / "churn-r2")
    (root / "churn-r2" / "record").write_text(json.dumps(record))
    (root / "empty").mkdir()
    (root / "stray").write_text("")
    assert engine.list() == []
    reasons = {Path(unreadable.where).name: unreadable.reason for unreadable in engine.unreadable()}
    assert reasons.keys() == {"churn-r1", "churn-r2", "empty", "stray"}
    assert "version" in reasons["churn-r1"]
    assert reasons["churn-r2"] == "its record is that of churn-r1"


def test_folders_may_come_and_go_while_they_are_listed(engine: ProcessEngine) -> None:
    keeps = engine.create(spec(name="fraud")).ref
    with ThreadPoolExecutor(1) as pool:

        def come_and_go() -> None:
            for revision in range(1, 40):
                engine.delete(engine.create(spec(revision=revision)).ref)

        coming = pool.submit(come_and_go)
        while not coming.done():
            assert keeps in [workload.ref for workload in engine.list()]
            assert engine.unreadable() == []
        coming.result()


def test_a_hundred_workloads_are_listed_at_once(engine: ProcessEngine) -> None:
    for revision in range(1, 101):
        engine.create(spec(revision=revision))
    assert len(engine.list()) == 100
    began = time.process_time()
    engine.list()
    assert time.process_time() - began < 0.1


def test_what_reads_as_it_did_is_parsed_once_however_few_another_engine_has(
    engine: ProcessEngine, root: Path, models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for revision in range(1, 61):
        engine.create(spec(revision=revision))
    engine.list()
    ProcessEngine(root.with_name("others"), models.joinpath, lambda _: {}).list()
    monkeypatch.setattr(Record, "model_validate_json", lambda *_: pytest.fail("it was parsed again"))
    assert len(engine.list()) == 60


def test_an_unhealthy_one_is_sick_with_what_it_said(engine: ProcessEngine) -> None:
    workload = started(engine, spec("--status=500"))
    until(lambda: engine.probe([workload], 5)[workload.ref].health is Health.SICK)
    assert engine.probe([workload], 5)[workload.ref].message == "/ping answers 500: mood"


def test_the_configs_path_and_timeout_come_before_the_runtimes(engine: ProcessEngine) -> None:
    workload = started(engine, spec("--status=404", probes=Probes(path="/mine", timeout_s=5)))
    until(lambda: engine.probe([workload], 5)[workload.ref].health is Health.SICK)
    assert engine.probe([workload], 5)[workload.ref].message.startswith("/mine answers 404")


def test_one_that_hangs_is_silent_and_costs_the_others_nothing(engine: ProcessEngine) -> None:
    hanging = started(engine, spec("--hang", probes=Probes(timeout_s=60)))
    healthy = started(engine, spec(revision=2))
    until(lambda: list(engine.log(hanging.ref, 1)) == ["listening"])
    until(lambda: ready(engine, healthy))
    began = time.monotonic()
    answers = engine.probe([hanging, healthy], 3)
    assert time.monotonic() - began < 30
    assert answers[hanging.ref].health is Health.SILENT
    assert answers[healthy.ref].health is Health.READY


def test_one_that_answers_and_ends_is_not_ready(engine: ProcessEngine) -> None:
    workload = started(engine, spec("--exit-after-answer"))
    until(lambda: list(engine.log(workload.ref, 1)) == ["listening"])
    assert engine.probe([workload], 5)[workload.ref].health is Health.UNREACHED


def test_a_stranger_that_answers_on_its_port_does_not_make_it_ready(engine: ProcessEngine, tmp_path: Path) -> None:
    workload = started(engine, spec(argv=(*PYTHON[:3], "-c", "import time; time.sleep(60)")))
    stranger = HeldProcess(tmp_path / "stranger")
    stranger.prepare()
    try:
        stranger.start([*PYTHON, f"--port={port_of(workload)}"], {})
        until(lambda: stranger.log().tail(1) == ["listening"])
        readiness = engine.probe([workload], 5)[workload.ref]
    finally:
        stranger.stop(0)
    assert readiness.health is Health.UNREACHED
    assert readiness.message == f"a stranger answers on port {port_of(workload)}"


def test_what_does_not_listen_or_run_is_unreached(engine: ProcessEngine) -> None:
    silent = started(engine, spec(argv=(*PYTHON[:3], "-c", "import time; time.sleep(60)")))
    created = engine.create(spec(revision=2))
    answers = engine.probe([silent, created], 5)
    assert {answer.health for answer in answers.values()} == {Health.UNREACHED}
    assert answers[created.ref].message == "it does not run"
    assert engine.probe([], 5) == {}


def test_a_log_is_followed_until_its_workload_ends(engine: ProcessEngine) -> None:
    code = "import time\nfor n in range(40): print(n, flush=True); time.sleep(0.01)\nprint('last', end='')"
    workload = started(engine, spec(argv=(*PYTHON[:3], "-c", code)))
    assert list(engine.log(workload.ref, 1000, follow=True)) == [*map(str, range(40)), "last"]
    assert list(engine.log(workload.ref, 2)) == ["39", "last"]
    assert list(engine.log(workload.ref, 0)) == []


def test_the_log_of_one_that_was_never_started_is_empty(engine: ProcessEngine) -> None:
    ref = engine.create(spec()).ref
    assert list(engine.log(ref, 10)) == []
    assert list(engine.log(ref, 10, follow=True)) == []


def test_a_sweep_clears_up_what_was_cut_short_and_leaves_what_is_under_way(engine: ProcessEngine, root: Path) -> None:
    keeps = engine.create(spec())
    for name in (".tmp-old", ".tmp-new", ".gone-x"):
        (root / name).mkdir()
        (root / name / "record").write_text("{")
    os.utime(root / ".tmp-old", (1, 1))
    engine.sweep()
    assert sorted(os.listdir(root)) == [".tmp-new", str(keeps.ref)]


def test_a_folder_that_cannot_be_used_is_an_error_of_ours(root: Path, models: Path) -> None:
    root.write_text("in the way")
    engine = ProcessEngine(root, models.joinpath, lambda _: {})
    with pytest.raises(EngineError, match="could not be created"):
        engine.create(spec())
    with pytest.raises(EngineError, match="could not be listed"):
        engine.list()
