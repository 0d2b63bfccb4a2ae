"""The figures of the docker flavor, on an engine that has no other model servers."""

import json
import os
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks import deploys, replaces, startup
from benchmarks.compared import by_turns
from benchmarks.figure import Figure, at_most, compared_with, spread
from benchmarks.many import NEVER_REPLACED, serve_many
from deployer.config import Drain, ModelServerConfig, Probes
from deployer.flavors.docker import labels
from deployer.flavors.docker.container import PORT
from deployer.flavors.docker.deployer import DockerModelDeployer
from deployer.flavors.docker.models import MOUNTED_AT
from deployer.http import NoAnswer, request
from deployer.testing.docker import SERVER, DockerHarness, remove_what_tests_share
from deployer.testing.faults import Watch, befall

CREATED, RUNNING, STOPPED = 500, 10, 100
FIND_BAR, LIST_BAR_S = 1.4, 1.0
READY_WITHIN_S = 120.0


def of_replaces() -> list[Figure]:
    with _harness() as harness:
        return replaces.of(harness.deployer(), _Tiny(harness), " on docker")


def of_deploys() -> list[Figure]:
    with _harness() as harness:
        return deploys.of(harness.deployer(), _Tiny(harness), lambda place: _bare(harness), " on docker")


def of_find() -> list[Figure]:
    """Over containers that were created and never started; beside one raw list and the routes read."""
    with _harness() as harness:
        deployer = harness.deployer()
        _serve(deployer, harness, CREATED)
        api, routes = deployer.connection.api, deployer.state_dir / "gateway" / "routes"

        def read() -> object:
            rows = api.containers(all=True, filters={"label": [labels.RECORD]})
            return rows, [json.loads(path.read_bytes().partition(b"\n")[0][2:]) for path in routes.glob("model-*.yml")]

        assert len(deployer.find_model_server()) == CREATED
        rounds = by_turns(read, lambda: harness.deployer().find_model_server(), clock=time.perf_counter)
        watch = Watch()
        befall(harness.deployer(), watch).reconcile()
        lists = sum(call.name == "engine.list" for call in watch.calls)
    what = f"find over {CREATED} containers"
    return [
        compared_with(
            f"one raw list of {CREATED} containers, and their routes", spread([r for r, _ in rounds], "ms", 1000)
        ),
        at_most(what, [found / reading for reading, found in rounds], FIND_BAR, "x", digits=2),
        Figure("lists of a reconcile on docker with nothing to do", str(lists), "1", lists == 1),
    ]


def of_registry() -> list[Figure]:
    """By the command line, in a process of its own each time."""
    with _harness() as harness:
        deployer, tiny = harness.deployer(), _Tiny(harness)
        _serve(deployer, harness, STOPPED, stopped=True)
        with TemporaryDirectory() as folder:
            for number in range(RUNNING):
                config = tiny(Path(folder), f"v{number}").model_copy(update={"name": f"running-{number}"})
                deployer.deploy_model(config)
        assert len(deployer.find_model_server()) == RUNNING + STOPPED
        here = os.environ | {
            "MODEL_DEPLOYER_STATE_DIR": str(deployer.settings.state_dir),
            "MODEL_DEPLOYER_GATEWAY_PORT": str(deployer.settings.gateway_port),
        }
        name = f"`model-deployer -d docker list`, {RUNNING} running and {STOPPED} stopped"
        return [startup.timed(name, [startup.COMMAND, "-d", "docker", "list"], here, LIST_BAR_S)]


class _Tiny:
    """A config of the suite's model server, with the usual times."""

    def __init__(self, harness: DockerHarness) -> None:
        self._harness = harness

    def __call__(self, place: Path, answer: str, **fields: Any) -> ModelServerConfig:
        usual = {"name": "bench", "model_name": "", "probes": Probes(), "drain": Drain(), "delay_s": 0}
        return self._harness.config(answer, **{**usual, **fields})


@contextmanager
def _harness() -> Iterator[DockerHarness]:
    with TemporaryDirectory(prefix="model-deployer-bench-") as folder:
        try:
            with closing(DockerHarness(Path(folder))) as harness:
                yield harness
        finally:
            remove_what_tests_share()


def _serve(deployer: DockerModelDeployer, harness: DockerHarness, count: int, stopped: bool = False) -> None:
    config = _Tiny(harness)(harness.root, "v1")
    serve_many(deployer, count, NEVER_REPLACED, stopped=stopped, config=config, started=stopped)


def _bare(harness: DockerHarness) -> float:
    """`docker run` of the same image and command, on our network, until it is ready."""
    api, model = harness.connection.api, harness.config("bare", delay_s=0).model_uri
    command = ["python3", "-I", "-S", SERVER, "--host", "0.0.0.0", "--port", str(PORT), "--model", MOUNTED_AT]
    host = api.create_host_config(binds=[f"{model}:{MOUNTED_AT}:ro"], network_mode="model-deployer", init=True)
    began = time.perf_counter()
    made = api.create_container(harness.image, command, host_config=host)["Id"]
    try:
        api.start(made)
        ends = api.inspect_container(made)["NetworkSettings"]["Networks"]["model-deployer"]
        until = time.monotonic() + READY_WITHIN_S
        while not _answers(f"http://{ends['IPAddress']}:{PORT}/ping"):
            assert time.monotonic() < until, "it did not become ready"
            time.sleep(0.002)
        return time.perf_counter() - began
    finally:
        api.remove_container(made, force=True)


def _answers(url: str) -> bool:
    try:
        return request("GET", url, timeout_s=1).status == 200
    except NoAnswer:
        return False
