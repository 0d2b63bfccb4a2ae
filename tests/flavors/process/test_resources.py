"""What a server may use: CPUs by affinity or a control group, memory by a control group alone."""

import json
import os
import signal
from pathlib import Path

import pytest

from deployer.config import ModelServerConfig, Resources
from deployer.engine import Ending, Phase, Workload
from deployer.errors import EngineError, Unsupported
from deployer.flavors.memory.deployer import MemoryModelDeployer
from deployer.flavors.memory.settings import MemorySettings
from deployer.flavors.process import resources
from deployer.flavors.process.deployer import ProcessModelDeployer
from deployer.flavors.process.engine import ProcessEngine
from deployer.flavors.process.folder import WorkloadFolder
from deployer.flavors.process.settings import ProcessSettings
from deployer.processes import cgroup
from deployer.runtimes.threads import THREAD_COUNTS
from tests.flavors.process.conftest import PYTHON, look, spec, started, until
from tests.support.control_groups import GROUNDS, MOST_REAL

TELL = "import json, os; print(json.dumps([sorted(os.sched_getaffinity(0)), dict(os.environ)]), flush=True)"
TELLS = (*PYTHON[:3], "-c", TELL)
SLEEPS = (*PYTHON[:3], "-c", "import time; print('up', flush=True); time.sleep(60)")
ALONE = pytest.mark.usefixtures("_no_group")
ALL = sorted(os.sched_getaffinity(0))


@pytest.fixture
def base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder laid like a control group that was delegated, with all controllers."""
    folder = tmp_path / "group"
    folder.mkdir()
    (folder / cgroup.ENABLED).write_text("cpu memory")
    monkeypatch.setattr(cgroup, "delegated", lambda controllers: folder)
    return folder


@pytest.fixture
def _no_group(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cgroup, "delegated", lambda controllers: None)


def told(engine: ProcessEngine, workload: Workload) -> tuple[list[int], dict[str, str]]:
    until(lambda: look(engine, workload.ref).phase is Phase.ENDED)
    cpus, environment = json.loads(next(iter(engine.log(workload.ref, 1))))
    return cpus, environment


def group_of(root: Path, workload: Workload) -> Path:
    return Path(WorkloadFolder(root / str(workload.ref)).room().group)


@ALONE
def test_a_server_runs_on_as_many_cpus_as_it_may_keep_busy(engine: ProcessEngine) -> None:
    cpus, environment = told(engine, started(engine, spec(argv=TELLS, resources=Resources(cpu=0.5))))
    assert (len(cpus), set(cpus) <= set(ALL)) == (1, True)
    assert {environment[name] for name in THREAD_COUNTS} == {"1"}


@ALONE
def test_a_second_server_gets_the_cpu_that_fewest_have(engine: ProcessEngine) -> None:
    first, second = (
        started(engine, spec(name=name, argv=SLEEPS, resources=Resources(cpu=1))) for name in ("churn", "fraud")
    )
    have = [WorkloadFolder(engine._root / str(w.ref)).room().cpus for w in (first, second)]
    assert have == ([[cpu] for cpu in ALL[:2]] if len(ALL) > 1 else [[], []])


@ALONE
def test_one_that_may_keep_busy_more_than_there_are_runs_on_all(engine: ProcessEngine) -> None:
    cpus, environment = told(engine, started(engine, spec(argv=TELLS, resources=Resources(cpu=len(ALL) + 1))))
    assert (cpus, environment["OMP_NUM_THREADS"]) == (ALL, str(len(ALL) + 1))


@ALONE
def test_thread_counts_of_the_config_stay(engine: ProcessEngine) -> None:
    wish = spec(argv=TELLS, env={"OMP_NUM_THREADS": "7"}, resources=Resources(cpu=1))
    _, environment = told(engine, started(engine, wish))
    assert (environment["OMP_NUM_THREADS"], environment["MKL_NUM_THREADS"]) == ("7", "1")


@ALONE
def test_nothing_is_said_of_what_no_config_asks_for(
    engine: ProcessEngine, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in THREAD_COUNTS:
        monkeypatch.delenv(name, raising=False)
    workload = started(engine, spec(argv=TELLS))
    cpus, environment = told(engine, workload)
    assert (cpus, environment.keys() & set(THREAD_COUNTS)) == (ALL, set())
    assert not (root / str(workload.ref) / "room").exists()


@ALONE
def test_memory_cannot_be_limited_and_that_is_said_before_anything_is_touched(tmp_path: Path) -> None:
    deployer = ProcessModelDeployer(ProcessSettings(state_dir=tmp_path / "state"))
    config = ModelServerConfig(model_uri=str(tmp_path / "absent"), name="churn", resources=Resources(memory="512Mi"))
    with pytest.raises(Unsupported, match="cannot be limited to 512Mi here") as refused:
        deployer.deploy_model(config)
    assert "Delegate=yes" in refused.value.hint
    assert list((tmp_path / "state").rglob("*")) == []


@ALONE
def test_what_has_a_limit_is_never_started_without_one(engine: ProcessEngine) -> None:
    """As by a deployer that runs elsewhere than the one that made it."""
    workload = engine.create(spec(resources=Resources(memory="512Mi")))
    with pytest.raises(Unsupported, match=r"churn-r1 is to have 512Mi of memory"):
        engine.start(workload.ref)
    assert look(engine, workload.ref).phase is Phase.CREATED


def test_a_server_is_in_a_group_of_its_own_with_its_limits(engine: ProcessEngine, root: Path, base: Path) -> None:
    workload = started(engine, spec(argv=SLEEPS, resources=Resources(cpu=1.5, memory="512Mi")))
    group = group_of(root, workload)
    assert (group.parent, group.name.partition(".")[0]) == (base, "churn-r1")
    assert (group / "cpu.max").read_text() == "150000 100000"
    assert (group / "memory.max").read_text() == str(512 * 1024 * 1024)
    assert (group / cgroup.PROCESSES).read_text() == str(engine.pid(workload.ref))


@pytest.mark.parametrize(
    ("memory", "amount"), [("1000", 1000), ("64k", 64_000), ("2G", 2 * 10**9), ("2Gi", 2 * 2**30), ("1Ti", 2**40)]
)
def test_memory_is_told_as_kubernetes_does(memory: str, amount: int) -> None:
    assert resources._memory_limits(Resources(memory=memory))["memory.max"] == str(amount)


@pytest.mark.parametrize("memory", ["much", "0", "-1G", "1.5G", "2GB", "512 Mi", "2KI"])
def test_what_is_no_amount_of_memory_is_refused(memory: str) -> None:
    with pytest.raises(ValueError, match="memory"):
        Resources(memory=memory)


def test_where_only_memory_can_be_limited_cpus_are_by_affinity(
    engine: ProcessEngine, root: Path, base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cgroup, "delegated", lambda controllers: base if controllers == ["memory"] else None)
    workload = started(engine, spec(argv=SLEEPS, resources=Resources(cpu=1, memory="1G")))
    room = WorkloadFolder(root / str(workload.ref)).room()
    assert sorted(room.limits) == ["memory.max", "memory.swap.max"]
    assert len(room.cpus) == (1 if len(ALL) > 1 else 0)


def ended_with(
    engine: ProcessEngine, root: Path, number: int, *, oom_kills: int, memory: str = "512Mi"
) -> tuple[Workload, Ending]:
    """As the kernel has it: it counts what it killed, and kills it."""
    workload = started(engine, spec(argv=SLEEPS, resources=Resources(cpu=1, memory=memory)))
    (group_of(root, workload) / "memory.events").write_text(f"oom_kill {oom_kills}\n")
    pid = engine.pid(workload.ref)
    assert pid
    os.kill(pid, number)
    until(lambda: look(engine, workload.ref).phase is Phase.ENDED)
    ending = look(engine, workload.ref).ending
    assert ending
    return workload, ending


def test_an_end_for_want_of_memory_is_named_so(engine: ProcessEngine, root: Path, base: Path) -> None:
    _, ending = ended_with(engine, root, signal.SIGKILL, oom_kills=1)
    assert ending.message == "it was killed: it wanted more than its 512Mi of memory (resources.memory)"
    assert ending.out_of_memory


def test_so_is_one_of_whoever_could_not_do_without_what_was_killed(
    engine: ProcessEngine, root: Path, base: Path
) -> None:
    _, ending = ended_with(engine, root, signal.SIGTERM, oom_kills=2)
    assert "SIGTERM" in ending.message and "more than its 512Mi of memory" in ending.message


@pytest.mark.parametrize(("oom_kills", "memory"), [(0, "512Mi"), (1, "")])
def test_another_end_is_not(engine: ProcessEngine, root: Path, base: Path, oom_kills: int, memory: str) -> None:
    _, ending = ended_with(engine, root, signal.SIGKILL, oom_kills=oom_kills, memory=memory)
    assert not ending.out_of_memory and "wanted more" not in ending.message


def test_what_cannot_be_put_into_its_group_does_not_run(
    engine: ProcessEngine, root: Path, base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resources, "_group_name", lambda folder: "missing/group")
    workload = engine.create(spec(argv=SLEEPS, resources=Resources(memory="1G")))
    with pytest.raises(EngineError, match="churn-r1 was not started"):
        engine.start(workload.ref)
    assert look(engine, workload.ref).phase is not Phase.RUNNING


@pytest.mark.parametrize("by", ["its parent", "its deletion"])
def test_a_group_goes_with_its_server(
    engine: ProcessEngine, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, by: str
) -> None:
    """Also where its parent was killed together with it."""
    with GROUNDS[MOST_REAL](tmp_path) as here:
        monkeypatch.setattr(cgroup, "delegated", lambda controllers: here.base)
        monkeypatch.setattr(cgroup, "enable", lambda base, controllers: None)
        monkeypatch.setattr(resources, "_cpu_limit", lambda asked: {})
        workload = started(engine, spec(argv=SLEEPS, resources=Resources(cpu=1)))
        group, pid = group_of(root, workload), engine.pid(workload.ref)
        assert pid and here.group_of(pid) == group
        if by == "its deletion":
            os.kill(_parent_of(pid), signal.SIGKILL)
        here.lose_files(group)
        engine.stop(workload.ref, 0)
        until(lambda: group.exists() is (by == "its deletion"))
        engine.delete(workload.ref)
        assert not group.exists()


def test_a_flavor_that_limits_nothing_refuses_resources(tmp_path: Path) -> None:
    deployer = MemoryModelDeployer(MemorySettings(platform=str(tmp_path), model_store=tmp_path))
    with pytest.raises(Unsupported, match="memory limits no resources"):
        deployer.deploy_model(ModelServerConfig(model_uri="m", name="churn", resources=Resources(cpu=1)))


def _parent_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
