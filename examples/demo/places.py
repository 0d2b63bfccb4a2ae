"""Where the demo plays, by flavor: with which settings, and how its server is killed, and forgotten, there."""

import os
import signal
from collections.abc import Callable, Mapping, Set
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from blocks.docker_model_deployer import DockerModelDeployer as DockerBlock
from blocks.model_deployer_block import ModelDeployerBlock
from blocks.process_model_deployer import ProcessModelDeployer as ProcessBlock
from deployer import ModelServer
from deployer.cli.settings import settings_of
from deployer.engine import Phase, Workload
from deployer.engine_deployer import EngineModelDeployer
from deployer.flavors.docker import labels
from deployer.flavors.docker.deployer import DockerModelDeployer
from deployer.flavors.process.deployer import ProcessModelDeployer
from deployer.ports import free_port


@dataclass(frozen=True)
class Place:
    """One flavor.

    Attributes:
        settings: of the demo's own deployer, beside its state directory.
        kill: SIGKILL for a workload, as the system does when memory runs out.
        forget: removes what a deleted server leaves for a day: models, by digest.
    """

    block: type[ModelDeployerBlock]
    settings: Callable[[], Mapping[str, Any]]
    kill: Callable[[EngineModelDeployer, Workload], None]
    forget: Callable[[EngineModelDeployer, Set[str]], None]

    @property
    def reference(self) -> str:
        """Of the demo's block."""
        return f"{self.block.get_block_type_slug()}/demo"

    def save_block(self, folder: Path) -> None:
        self.block(state_dir=folder / "state", **self.settings()).save("demo", overwrite=True)

    def kill_server(self, deployer: EngineModelDeployer, server: ModelServer) -> None:
        """Kill what serves."""
        workloads = (w for w in deployer.engine.list() if w.record.uuid == server.uuid and w.phase is Phase.RUNNING)
        self.kill(deployer, next(workloads))


def _of_docker() -> Mapping[str, Any]:
    """A port of the demo's own: somebody's servers may be on this engine."""
    given = settings_of("docker", [], os.environ)
    return {**given, "gateway_port": free_port()} if "gateway_port" not in given else given


def _kill_process(deployer: EngineModelDeployer, workload: Workload) -> None:
    assert isinstance(deployer, ProcessModelDeployer)
    pid = deployer.engine.pid(workload.ref)
    assert pid, "the server does not run"
    os.kill(pid, signal.SIGKILL)


def _kill_container(deployer: EngineModelDeployer, workload: Workload) -> None:
    assert isinstance(deployer, DockerModelDeployer)
    deployer.connection.api.kill(str(workload.ref))


def _forget_nothing(deployer: EngineModelDeployer, digests: Set[str]) -> None:
    """Its models are in its state directory."""


def _forget_volumes(deployer: EngineModelDeployer, digests: Set[str]) -> None:
    assert isinstance(deployer, DockerModelDeployer)
    api = deployer.connection.api
    for digest in digests:
        for volume in api.volumes(filters={"label": [f"{labels.DIGEST}={digest}"]}).get("Volumes") or []:
            with suppress(Exception):
                api.remove_volume(volume["Name"])


PLACES = {
    "process": Place(ProcessBlock, dict, _kill_process, _forget_nothing),
    "docker": Place(DockerBlock, _of_docker, _kill_container, _forget_volumes),
}
