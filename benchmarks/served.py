"""Model servers to measure, and their end."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from deployer.config import Command, Drain, ModelServerConfig, Probes
from deployer.flavors.process.deployer import ProcessModelDeployer
from deployer.flavors.process.settings import ProcessSettings
from deployer.testing.models import command_line, write_model


@contextmanager
def process_deployer() -> Iterator[ProcessModelDeployer]:
    """A process deployer in a folder of its own; everything it started is ended."""
    with tempfile.TemporaryDirectory(prefix="model-deployer-bench-") as folder:
        deployer = ProcessModelDeployer(ProcessSettings(state_dir=Path(folder), gateway_port=None))
        try:
            yield deployer
        finally:
            for workload in deployer.engine.list():
                deployer.engine.stop(workload.ref, 0)
            deployer.gateway.shutdown(5)


def tiny(folder: Path, answer: str, **drain: float) -> ModelServerConfig:
    """A config of the suite's tiny model server, which starts in a tenth of a second."""
    model = write_model(folder / "models" / answer, answer, delay_s=0)
    return ModelServerConfig(
        name="bench",
        model_uri=str(model),
        runtime="command",
        command=Command(line=command_line()),
        probes=Probes(),
        drain=Drain(**drain) if drain else Drain(),
    )
