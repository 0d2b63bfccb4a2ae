"""The shipped deployments, deployed, with a worker that runs them on a deployer of their own."""

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import FlowRun
from prefect.client.schemas.responses import DeploymentResponse

from blocks.process_model_deployer import ProcessModelDeployer as ProcessBlock
from deployer.flavors.process.deployer import ProcessModelDeployer
from deployer.flavors.process.settings import ProcessSettings
from deployer.ports import free_port
from tests.prefect_server.ended import running
from tests.prefect_server.fixtures import PrefectServer, until_closed
from tests.prefect_server.waiting import wait_for

PROJECT = Path(__file__).parents[2]
POOL = "model-deployers"
RUN_ENDS_WITHIN_S = 90


@dataclass(frozen=True)
class Deployed:
    """What `deployments.yaml` names, deployed, and the deployer that it runs on."""

    deployer: ProcessModelDeployer
    block_id: UUID

    def deployment(self, name: str) -> DeploymentResponse:
        with get_client(sync_client=True) as client:
            return client.read_deployment_by_name(f"{name}/{name}")

    def begin(self, name: str, **parameters: Any) -> FlowRun:
        """Create a run as the UI does, the deployer given by reference."""
        given = {"deployer": {"$ref": {"block_document_id": str(self.block_id)}}} | parameters
        with get_client(sync_client=True) as client:
            return client.create_flow_run_from_deployment(self.deployment(name).id, parameters=given)

    def run(self, name: str, **parameters: Any) -> FlowRun:
        """The run, once the worker has ended it."""
        return self.end_of(self.begin(name, **parameters))

    def end_of(self, run: FlowRun) -> FlowRun:
        def ended() -> FlowRun | None:
            with get_client(sync_client=True) as client:
                now = client.read_flow_run(run.id)
            return now if now.state and now.state.is_final() else None

        return wait_for(ended, f"the flow run {run.name} ends", RUN_ENDS_WITHIN_S)


@pytest.fixture(scope="session")
def deployed(prefect_server: PrefectServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    """By Prefect's own commands; `model-deployer init` does the same."""
    settings = ProcessSettings(state_dir=tmp_path_factory.mktemp("deployed") / "state", gateway_port=free_port())
    with until_closed(settings) as deployer:
        block = ProcessBlock(**settings.model_dump())
        block.save("default", _sync=True)  # type: ignore[call-arg]
        assert block._block_document_id
        _prefect(prefect_server, "work-pool", "create", "--type", "process", POOL)
        _prefect(prefect_server, "--no-prompt", "deploy", "--prefect-file", "deployments.yaml", "--all")
        worker = ["prefect", "worker", "start", "--pool", POOL]
        env = prefect_server.env | {"PREFECT_WORKER_QUERY_SECONDS": "1"}
        with running(worker, env, prefect_server.home / "worker.log"):
            yield Deployed(deployer, block._block_document_id)


def _prefect(server: PrefectServer, *arguments: str) -> None:
    command = [sys.executable, "-m", "prefect", *arguments]
    run = subprocess.run(
        command, env=server.env, cwd=PROJECT, capture_output=True, text=True, timeout=120, check=False
    )
    assert run.returncode == 0, run.stdout + run.stderr
