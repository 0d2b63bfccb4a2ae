"""A model that starts in a fraction of a second, and how its server dies."""

import os
import signal
from pathlib import Path
from typing import Any

from deployer.config import Command, Drain, ModelServerConfig, Probes
from deployer.flavors.process.deployer import ProcessModelDeployer
from deployer.server import ModelServer
from deployer.testing.models import command_line, write_model


def config(folder: Path, answer: str = "v1", mode: str = "ok", **fields: Any) -> ModelServerConfig:
    """The config of a server that predicts `answer`; the model is written into a folder of its own."""
    model = write_model(folder / f"{answer}-{mode}", answer, mode)
    named = {"model_name": "churn"} | fields
    return ModelServerConfig(
        model_uri=str(model),
        runtime="command",
        command=Command(line=command_line()),
        probes=Probes(settle_s=0.2),
        drain=Drain(drain_s=0.1, grace_s=5),
        **named,
    )


def kill(deployer: ProcessModelDeployer, server: ModelServer) -> None:
    """SIGKILL to what serves."""
    (serving,) = (w for w in deployer.engine.list() if w.record.uuid == server.uuid)
    pid = deployer.engine.pid(serving.ref)
    assert pid
    os.kill(pid, signal.SIGKILL)
