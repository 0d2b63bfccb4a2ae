"""GPUs: each is given to one server at a time, for as long as that runs; which there are is told by a lister."""

import contextlib
import json
import os
import signal
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from deployer.config import ModelServerConfig, Resources
from deployer.engine import Phase, Ref
from deployer.errors import DevicesTaken, EngineUnavailable, Unsupported
from deployer.flavors.process import gpus, resources
from deployer.flavors.process.deployer import ProcessModelDeployer
from deployer.flavors.process.engine import ProcessEngine
from deployer.flavors.process.folder import WorkloadFolder
from deployer.processes import locks
from deployer.processes.held import HeldProcess
from deployer.server import State
from deployer.testing.hammer import Reply
from deployer.testing.process import ProcessHarness
from tests.flavors.process.conftest import PYTHON, look, resolve, spec, until

TELLS = (*PYTHON[:3], "-c", "import os, time; print(os.environ['CUDA_VISIBLE_DEVICES'], flush=True); time.sleep(60)")
TWO = ["GPU-aa11", "GPU-bb22"]
LISTED = "GPU 0: NVIDIA A100 (UUID: GPU-aa11)\n  MIG 1g.5gb Device 0: (UUID: MIG-cc)\nGPU 1: A (B) (UUID: GPU-bb22)\n"


@pytest.fixture
def engine(root: Path, models: Path) -> Iterator[ProcessEngine]:
    made = ProcessEngine(root, models.joinpath, resolve, devices=lambda: TWO)
    yield made
    for workload in made.list():
        made.stop(workload.ref, 0)


def created(engine: ProcessEngine, name: str, gpu: int = 1, revision: int = 1) -> Ref:
    return engine.create(spec(name=name, revision=revision, argv=TELLS, resources=Resources(gpu=gpu))).ref


def given(engine: ProcessEngine, name: str, gpu: int = 1) -> Ref:
    ref = created(engine, name, gpu)
    engine.start(ref)
    return ref


def devices_of(engine: ProcessEngine, ref: Ref) -> str:
    """As the server sees them."""
    until(lambda: list(engine.log(ref, 1)) != [])
    return next(engine.log(ref, 1))


def test_each_server_has_a_device_of_its_own(engine: ProcessEngine) -> None:
    assert [devices_of(engine, given(engine, name)) for name in ("churn", "fraud")] == TWO


def test_one_server_may_have_several(engine: ProcessEngine) -> None:
    assert devices_of(engine, given(engine, "churn", 2)) == "GPU-aa11,GPU-bb22"


def test_where_too_few_are_free_it_is_said_who_has_them(engine: ProcessEngine) -> None:
    given(engine, "churn")
    wanting = created(engine, "fraud", 2)
    with pytest.raises(DevicesTaken, match="fraud-r1 asks for 2 GPUs, and 1 of 2 are free: churn-r1 has GPU-aa11"):
        engine.start(wanting)
    assert look(engine, wanting).phase is Phase.CREATED


def test_what_a_server_had_is_free_once_it_ended(engine: ProcessEngine) -> None:
    engine.stop(given(engine, "churn", 2), 0)
    assert devices_of(engine, given(engine, "fraud")) == "GPU-aa11"


def test_a_server_that_is_brought_back_has_what_it_had(engine: ProcessEngine) -> None:
    first, second = given(engine, "churn"), given(engine, "fraud")
    for ref in (first, second):
        engine.stop(ref, 0)
    engine.start(second)
    assert WorkloadFolder(engine._root / str(second)).room().gpus == ["GPU-bb22"]


def test_of_many_who_start_at_once_no_two_get_one_device(root: Path, models: Path, engine: ProcessEngine) -> None:
    refs = [created(engine, f"s{number}") for number in range(5)]

    def start(ref: Ref) -> bool:
        with contextlib.suppress(DevicesTaken):
            ProcessEngine(root, models.joinpath, resolve, devices=lambda: TWO).start(ref)
            return True
        return False

    with ThreadPoolExecutor(len(refs)) as pool:
        started = [ref for ref, done in zip(refs, pool.map(start, refs), strict=True) if done]
    assert sorted(devices_of(engine, ref) for ref in started) == TWO


def test_nobody_else_is_given_any_before_it_runs_though_its_deployer_dies_meanwhile(
    engine: ProcessEngine, root: Path
) -> None:
    process = HeldProcess(root / str(created(engine, "churn")))
    guard, others = (os.open(root / "guard", os.O_RDWR | os.O_CREAT) for _ in range(2))
    assert locks.exclusive(guard)
    with pytest.raises(EngineUnavailable):
        process.start(
            TELLS, {"CUDA_VISIBLE_DEVICES": "0"}, guard=guard, deadline_s=2, strikes={"named": signal.SIGSTOP}
        )
    os.close(guard)
    assert not locks.exclusive(others, 0.1)
    identity = process.identity()
    assert identity
    os.kill(psutil.Process(identity.pid).ppid(), signal.SIGCONT)
    until(lambda: locks.exclusive(others, 0))
    assert process.held()
    os.close(others)


def test_who_waits_too_long_for_another_deployer_may_try_again(
    engine: ProcessEngine, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resources, "GUARDED_FOR_S", 0.05)
    ref = created(engine, "churn")
    frozen = os.open(root / resources.GUARD, os.O_RDWR | os.O_CREAT)
    assert locks.exclusive(frozen)
    with pytest.raises(EngineUnavailable, match="another deployer"):
        engine.start(ref)
    os.close(frozen)
    engine.start(ref)
    assert look(engine, ref).phase is Phase.RUNNING


def test_what_asks_for_none_needs_no_lister(root: Path, models: Path) -> None:
    def never() -> Sequence[str]:
        raise AssertionError("it was asked")

    engine = ProcessEngine(root, models.joinpath, resolve, devices=never)
    ref = engine.create(spec(argv=(*PYTHON[:3], "-c", ""), resources=Resources(cpu=1))).ref
    engine.start(ref)
    assert not (root / resources.GUARD).exists()


@pytest.mark.parametrize(
    ("visible", "found"),
    [
        (None, TWO),
        ("", []),
        ("1", ["GPU-bb22"]),
        ("GPU-bb", ["GPU-bb22"]),
        ("1, 0", ["GPU-bb22", "GPU-aa11"]),
        ("0,7,1", ["GPU-aa11"]),
        ("-1", []),
    ],
)
def test_a_deployer_gives_what_it_sees_itself_by_names_that_all_share(visible: str | None, found: list[str]) -> None:
    assert gpus.seen(TWO, visible) == found


def test_where_none_can_be_listed_they_are_called_what_the_deployer_was_told() -> None:
    assert gpus.seen([], "0,1") == ["0", "1"]
    assert gpus.seen([], None) == []


def test_the_drivers_tool_lists_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tool = tmp_path / "nvidia-smi"
    tool.write_text(f"#!/bin/sh\ncat <<'END'\n{LISTED}END\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert gpus.devices() == TWO
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    assert gpus.devices() == ["GPU-bb22"]


def test_else_the_driver_itself_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for bus, uuid in (("0000:0b:00.0", "GPU-bb22"), ("0000:0a:00.0", "GPU-aa11")):
        (tmp_path / bus).mkdir()
        (tmp_path / bus / "information").write_text(f"Model: \t A100\nGPU UUID: \t {uuid}\nBus Type: \t PCIe\n")
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(gpus, "DRIVER", tmp_path)
    assert gpus.devices() == TWO
    monkeypatch.setattr(gpus, "DRIVER", tmp_path / "nothing")
    assert gpus.devices() == []


class OneGpuDeployer(ProcessModelDeployer):
    devices = staticmethod(lambda: TWO[:1])


@dataclass(frozen=True)
class OneGpuHarness(ProcessHarness):
    """A machine with one GPU."""

    def deployer(self) -> ProcessModelDeployer:
        return OneGpuDeployer(super().deployer()._settings)


@pytest.fixture
def harness(tmp_path: Path) -> Iterator[OneGpuHarness]:
    with closing(OneGpuHarness(tmp_path)) as mine:
        yield mine


def on_gpu(harness: ProcessHarness, answer: str, rollout: str = "replace") -> ModelServerConfig:
    return harness.config(answer, resources=Resources(gpu=1), rollout=rollout)


def test_a_replace_for_which_none_is_free_leaves_the_old_revision_and_says_what_to_do(harness: OneGpuHarness) -> None:
    server = harness.deployer().deploy_model(on_gpu(harness, "v1"), replace=True)
    with pytest.raises(DevicesTaken, match="churn-r1 has GPU-aa11") as refused:
        harness.deployer().deploy_model(on_gpu(harness, "v2"), replace=True)
    assert "recreate" in refused.value.hint and "Revision 1" in refused.value.serving
    assert harness.ask(server) == Reply(200, "v1", 1)
    (found,) = harness.deployer().find_model_server()
    assert (found.revision, found.state) == (1, State.READY)


def test_a_recreate_frees_what_the_old_revision_has(harness: OneGpuHarness) -> None:
    server = harness.deployer().deploy_model(on_gpu(harness, "v1"), replace=True)
    harness.deployer().deploy_model(on_gpu(harness, "v2", "recreate"), replace=True)
    assert harness.ask(server) == Reply(200, "v2", 2)


def test_more_than_there_are_is_refused_before_anything_is_touched(harness: OneGpuHarness) -> None:
    with pytest.raises(Unsupported, match="2 GPUs are asked for, and this deployer sees 1"):
        harness.deployer().deploy_model(harness.config("v1", resources=Resources(gpu=2)))
    assert harness.deployer().find_model_server() == []


@pytest.mark.parametrize("where", ["env", "secrets"])
def test_whoever_asks_for_gpus_does_not_name_them(where: str) -> None:
    named = {where: {"CUDA_VISIBLE_DEVICES": "env:MINE"}}
    with pytest.raises(ValueError, match=r"CUDA_VISIBLE_DEVICES is set by `resources.gpu`"):
        ModelServerConfig.model_validate({"model_uri": "m", "name": "churn", "resources": {"gpu": 1}, **named})


def test_the_config_reads_back(harness: OneGpuHarness) -> None:
    config = on_gpu(harness, "v1")
    assert ModelServerConfig.model_validate(json.loads(config.model_dump_json())) == config
