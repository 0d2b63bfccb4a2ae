"""Models served here, or in Python environments of their own, from the deploy to the answer."""

import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

import deployer
from deployer.client import predict
from deployer.config import Command, Drain, ModelServerConfig, Probes
from deployer.engine import Phase
from deployer.environments.definition import Definition
from deployer.errors import EnvironmentFailed, EnvironmentMismatch, InvalidModel, RolloutTimeout, Unsupported
from deployer.flavors.process.deployer import ProcessModelDeployer
from deployer.rollout.steps import Action, Progress
from deployer.server import ModelServer, State
from deployer.testing.process import ProcessHarness
from tests.environments.packages import wheel
from tests.flavors.process.conftest import until

SERVE = """
import http.server, os, shutil, sys
import tiny

class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(f"{tiny.VERSION} {sys.prefix} {shutil.which('tiny')}".encode())

http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Answer).serve_forever()
"""
TRAIN = """
import sys
import mlflow.sklearn, sklearn
from sklearn.datasets import load_iris
from sklearn.tree import DecisionTreeClassifier

model = DecisionTreeClassifier(max_depth=3, random_state=0).fit(*load_iris(return_X_y=True))
mlflow.sklearn.save_model(
    model, sys.argv[1], serialization_format="cloudpickle",
    pip_requirements=[f"scikit-learn=={sklearn.__version__}", "iniconfig==1.1.1"],
)
"""
DAY_S = 24 * 3600


@pytest.fixture
def harness(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ProcessHarness]:
    monkeypatch.setenv("UV_CREDENTIALS_DIR", str(tmp_path / "logins"))  # uv would keep a lock at home for them
    monkeypatch.setenv("PATH", os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))
    with closing(ProcessHarness(tmp_path)) as mine:
        yield mine


@pytest.fixture
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """tiny 1.0 and 2.0, where uv looks for them and nowhere else."""
    for version in ("1.0", "2.0"):
        wheel(tmp_path / "packages", "tiny", version)
    monkeypatch.setenv("UV_FIND_LINKS", str(tmp_path / "packages"))
    monkeypatch.setenv("PIP_NO_INDEX", "1")


@pytest.fixture
def model(tmp_path: Path, packages: None) -> Path:
    """A server that answers with the version of tiny that it has."""
    return requiring(tmp_path / "model", "tiny==1.0")


def requiring(folder: Path, *lines: str) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "serve.py").write_text(SERVE)
    (folder / "requirements.txt").write_text("\n".join(lines))
    return folder


def config(model: Path, environment: str = "isolated", **fields: object) -> ModelServerConfig:
    wanted = {
        "name": "churn",
        "model_uri": str(model),
        "runtime": "command",
        "environment": environment,
        "command": Command(line="{python} {model}/serve.py {port}"),
        "probes": Probes(settle_s=0.1),
        "drain": Drain(drain_s=0, grace_s=2),
    }
    return ModelServerConfig.model_validate(wanted | fields)


def ask(server: ModelServer) -> list[str]:
    """The version of tiny that it has, its prefix, and the program `tiny` in its PATH."""
    with urllib.request.urlopen(server.url, timeout=10) as answer:
        words: list[str] = answer.read().decode().split()
        return words


def told_to(mine: ProcessModelDeployer) -> list[Progress]:
    steps: list[Progress] = []
    mine.on_progress = steps.append
    return steps


def built(steps: list[Progress]) -> int:
    return sum(1 for progress in steps if progress.step.action is Action.BUILD and progress.seconds is not None)


def environment_of(mine: ProcessModelDeployer) -> Path:
    """That of the newest workload."""
    environment = mine.engine.list()[-1].record.environment
    assert environment
    return mine.state_dir / "environments" / environment.key


def kill(mine: ProcessModelDeployer) -> None:
    """The only server, as the system would for want of memory."""
    (workload,) = mine.engine.list()
    pid = mine.engine.pid(workload.ref)
    assert pid
    os.kill(pid, signal.SIGKILL)
    until(lambda: mine.engine.list()[0].phase is Phase.ENDED)


def test_a_model_that_does_not_fit_here_is_refused_before_anything_is_changed(
    harness: ProcessHarness, model: Path
) -> None:
    mine = harness.deployer()
    with pytest.raises(EnvironmentMismatch, match=r"tiny==1\.0: it is not installed"):
        mine.deploy_model(config(model, "current"))
    assert mine.find_model_server() == [] and not (mine.state_dir / "environments").exists()


def test_a_model_whose_requirements_are_met_here_is_served_here(harness: ProcessHarness, model: Path) -> None:
    requiring(model, "pytest", "pandas>=2")
    (model / "serve.py").write_text(SERVE.replace("import tiny", "class tiny: VERSION = 'none'"))
    server = harness.deployer().deploy_model(config(model, "current"))
    assert ask(server)[:2] == ["none", sys.prefix]


def test_who_knows_better_has_it_served_here_unchecked(harness: ProcessHarness, model: Path) -> None:
    (model / "serve.py").write_text(SERVE.replace("import tiny", "class tiny: VERSION = 'none'"))
    assert ask(harness.deployer().deploy_model(config(model, "unchecked")))[0] == "none"


def test_a_command_that_names_no_python_of_ours_is_not_checked(harness: ProcessHarness, model: Path) -> None:
    (model / "serve.py").write_text(SERVE.replace("import tiny", "class tiny: VERSION = 'none'"))
    line = Command(line=f"{sys.executable} {{model}}/serve.py {{port}}")
    assert harness.deployer().deploy_model(config(model, "current", command=line)).state is State.READY


def test_an_isolated_model_has_what_it_requires_and_shares_it_with_the_next_revision(
    harness: ProcessHarness, model: Path
) -> None:
    mine = harness.deployer()
    steps = told_to(mine)
    first = mine.deploy_model(config(model))
    venv = environment_of(mine) / "venv"
    assert ask(first) == ["1.0", str(venv), str(venv / "bin" / "tiny")]
    actions = [progress.step.action for progress in steps if progress.seconds is not None]
    assert actions[:3] == [Action.FETCH, Action.BUILD, Action.CREATE]
    assert "+ tiny==1.0" in [progress.detail for progress in steps]
    (model / "weights").write_text("new")
    second = mine.deploy_model(config(model), replace=True)
    assert (second.revision, ask(second)[0], built(steps)) == (2, "1.0", 1)
    assert mine.deploy_model(config(model), replace=True).revision == 2


def test_a_plan_says_what_would_be_built_and_builds_nothing(harness: ProcessHarness, model: Path) -> None:
    mine = harness.deployer()
    assert [step.action for step in mine.plan(config(model))] == [Action.BUILD, Action.CREATE]
    assert not (mine.state_dir / "environments").exists()


@pytest.mark.parametrize(
    ("lines", "said"), [(("tiny==1.0", "tiny==2.0"), "unsatisfiable"), (("tiny", "absent-package"), "absent-package")]
)
def test_while_an_environment_cannot_be_built_the_old_revision_serves(
    lines: tuple[str, ...], said: str, harness: ProcessHarness, model: Path
) -> None:
    mine = harness.deployer()
    server = mine.deploy_model(config(model))
    with pytest.raises(EnvironmentFailed) as error:
        mine.deploy_model(config(requiring(model, *lines)), replace=True)
    assert said in str(error.value)
    assert ask(server)[0] == "1.0"
    assert [entry.number for entry in mine.history(server.uuid)] == [1]


def test_the_deploys_time_is_the_builds_time_too(
    harness: ProcessHarness, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[float | None] = []

    def too_slow(*arguments: object) -> None:
        given.append(arguments[3])  # type: ignore[arg-type]
        raise RolloutTimeout("its time was up")

    mine = harness.deployer()
    monkeypatch.setattr(mine.environments, "build", too_slow)
    for timeout in (60, 0):
        with pytest.raises(RolloutTimeout):
            mine.deploy_model(config(model), timeout=timeout)
    assert given[0] and 50 < given[0] <= 60
    assert given[1] is None, "with no time to wait, all is prepared nevertheless"
    assert mine.find_model_server() == []


def test_an_isolated_model_says_what_it_requires(harness: ProcessHarness, model: Path) -> None:
    (model / "requirements.txt").unlink()
    with pytest.raises(InvalidModel, match=r"no requirements\.txt"):
        harness.deployer().deploy_model(config(model))


def test_a_rollback_builds_anew_what_was_removed_meanwhile(harness: ProcessHarness, model: Path) -> None:
    mine = harness.deployer()
    mine.deploy_model(config(model))
    first = environment_of(mine)
    server = mine.deploy_model(config(requiring(model, "tiny==2.0")), replace=True)
    assert ask(server)[0] == "2.0" and environment_of(mine) != first
    shutil.rmtree(first)
    assert ask(mine.rollback(server.uuid))[0] == "1.0"
    assert environment_of(mine) == first


@pytest.mark.parametrize("how", ["start", "reconcile"])
def test_what_has_to_be_started_again_has_its_environment_built_anew(
    how: str, harness: ProcessHarness, model: Path
) -> None:
    mine = harness.deployer()
    server = mine.deploy_model(config(model))
    kill(mine)
    shutil.rmtree(mine.state_dir / "environments")
    later = harness.deployer()
    steps = told_to(later)
    if how == "start":
        later.start_model_server(server.uuid)
    else:
        assert later.reconcile().failed == ()
    assert built(steps) == 1
    assert ask(server)[0] == "1.0"


def test_the_time_for_a_start_is_the_builds_time_too(
    harness: ProcessHarness, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = harness.deployer()
    server = mine.deploy_model(config(model))
    mine.stop_model_server(server.uuid)
    shutil.rmtree(mine.state_dir / "environments")
    later, given = harness.deployer(), list[float | None]()
    build = later.environments.build

    def timed(key: str, definition: Definition, told: Callable[[str], object], left_s: float | None) -> None:
        given.append(left_s)
        build(key, definition, told, left_s)

    monkeypatch.setattr(later.environments, "build", timed)
    later.start_model_server(server.uuid, timeout=60)
    assert given[0] and 50 < given[0] <= 60
    assert ask(server)[0] == "1.0"


def test_without_uv_nothing_is_touched(harness: ProcessHarness, model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "uv", None)
    monkeypatch.setattr(shutil, "which", lambda name: None)
    mine = harness.deployer()
    with pytest.raises(Unsupported, match="uv, which is not installed"):
        mine.deploy_model(config(model))
    assert not (mine.state_dir / "models").exists()


def test_reconcile_collects_what_no_record_and_no_history_names(harness: ProcessHarness, model: Path) -> None:
    mine = harness.deployer()
    mine.keep_models = 2
    named = []
    for version in ("1.0", "2.0"):
        mine.deploy_model(config(requiring(model, f"tiny=={version}")), replace=True)
        named.append(environment_of(mine))
    other = mine.deploy_model(config(requiring(model, "tiny"), name="other"))
    unnamed = environment_of(mine)
    mine.delete_model_server(other.uuid)
    everything = list((mine.state_dir / "environments").iterdir())
    assert sorted(everything) == sorted([*named, unnamed])
    mine.reconcile()
    assert len(list((mine.state_dir / "environments").iterdir())) == 3, "it was touched of late"
    for path in everything:
        os.utime(path, (time.time() - 2 * DAY_S,) * 2)
    mine.reconcile()
    assert sorted((mine.state_dir / "environments").iterdir()) == sorted(named)


def test_while_a_record_cannot_be_read_no_environment_goes(harness: ProcessHarness, model: Path) -> None:
    mine = harness.deployer()
    mine.delete_model_server(mine.deploy_model(config(model)).uuid)
    (environment,) = (mine.state_dir / "environments").iterdir()
    shutil.rmtree(mine.state_dir / "models")
    (stranger := mine.state_dir / "workloads" / "stranger-r1").mkdir()
    os.utime(environment, (time.time() - 2 * DAY_S,) * 2)
    mine.reconcile()
    assert environment.exists()
    stranger.rmdir()
    mine.reconcile()
    assert not environment.exists()


def test_a_flavor_without_environments_says_so(model: Path, tmp_path: Path) -> None:
    memory = deployer.load("memory", platform="environments", model_store=tmp_path / "store")
    with pytest.raises(Unsupported, match="isolated"):
        memory.deploy_model(config(model))
    assert not (tmp_path / "store").exists()


@pytest.mark.timeout(600)
@pytest.mark.xdist_group("mlflow")
def test_a_real_mlflow_model_is_served_with_versions_of_its_own(harness: ProcessHarness, tmp_path: Path) -> None:
    """From the package index, as this machine has it configured; a second time from uv's cache."""
    folder = tmp_path / "iris"
    quiet = os.environ | {"MLFLOW_DISABLE_TELEMETRY": "true"}
    command = [sys.executable, "-c", TRAIN, str(folder)]
    subprocess.run(command, check=True, timeout=120, env=quiet, cwd=tmp_path, capture_output=True)
    mine = harness.deployer()
    wanted = ModelServerConfig(name="iris", model_uri=str(folder))
    with pytest.raises(EnvironmentMismatch, match=r"iniconfig==1\.1\.1: installed is") as error:
        mine.deploy_model(wanted)
    assert "scikit-learn" not in error.value.what
    server = mine.deploy_model(wanted.model_copy(update={"environment": "isolated"}), timeout=500)
    assert predict(server, [[5.1, 3.5, 1.4, 0.2], [6.5, 3.0, 5.8, 2.2]]) == [0, 2]
    (packages,) = environment_of(mine).glob("venv/lib/python*/site-packages")
    assert (packages / "iniconfig-1.1.1.dist-info").is_dir()
    assert not list(packages.glob("mlflow-[0-9]*.dist-info")), "mlflow-skinny does"
