"""Many model servers at once."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

from benchmarks.served import tiny
from deployer.config import ModelServerConfig, Provenance
from deployer.engine import Wanted, WorkloadSpec
from deployer.engine_deployer import EngineModelDeployer
from deployer.flavors.memory.deployer import MemoryModelDeployer
from deployer.flavors.memory.settings import MemorySettings
from deployer.gateway import Backend
from deployer.records.history import entry_of, merged
from deployer.records.record import HISTORY_LENGTH, HistoryEntry, Image, Outcome, Record
from deployer.rollout.steps import ignore
from deployer.rollout.wait import UNLIMITED
from deployer.runtimes import runtime_of

NEVER_REPLACED, OFTEN_REPLACED = 0, HISTORY_LENGTH


@contextmanager
def memory_deployer() -> Iterator[MemoryModelDeployer]:
    """A deployer over a platform in memory of its own."""
    with tempfile.TemporaryDirectory(prefix="model-deployer-bench-") as folder:
        yield MemoryModelDeployer(MemorySettings(platform=folder, model_store=Path(folder)))


def serve_many(
    deployer: EngineModelDeployer,
    count: int,
    replaced: int,
    stopped: bool = False,
    config: ModelServerConfig | None = None,
    started: bool = True,
) -> None:
    """Let so many servers be there, each replaced so often; `stopped` ones ran before.

    Args:
        config: of each; None: that of the suite's model server.
    """
    with tempfile.TemporaryDirectory() as folder:
        config = config or tiny(Path(folder), "v1")
        digest = deployer.store.add(config.model_uri)
    image = _image(deployer, config, digest)
    for number in range(count):
        record = _record(config, number, digest, 1 + replaced).model_copy(update={"image": image})
        _serve(deployer, record, stopped, started)


def _image(deployer: EngineModelDeployer, config: ModelServerConfig, digest: str) -> Image | None:
    if deployer.images is None:
        return None
    launch, model = runtime_of(config.runtime).launch(config, deployer.place), deployer.store.path(digest)
    return deployer.images.choose(config, launch, model, ignore, UNLIMITED)


def _serve(deployer: EngineModelDeployer, record: Record, stopped: bool, started: bool) -> None:
    launch = runtime_of(record.config.runtime).launch(record.config, deployer.place)
    workload = deployer.engine.create(WorkloadSpec(record, launch))
    if started:
        deployer.engine.start(workload.ref)
    if stopped:
        deployer.engine.mark(workload.ref, Wanted.STOPPED, "stopped by its user")
        deployer.engine.stop(workload.ref, 0)
    backend = Backend(record.revision, "" if stopped else workload.address, workload.stamps_revision)
    deployer.gateway.write(record.server, (backend,), record.revision, "")


def _record(config: ModelServerConfig, number: int, digest: str, revision: int) -> Record:
    """As flows leave them, with the revisions before it in its history."""
    now, uuid = datetime.now(UTC), uuid4()
    history: tuple[HistoryEntry, ...] = ()
    for present in range(1, revision + 1):
        record = Record(
            uuid=uuid,
            name=f"model-{number}",
            revision=present,
            token=uuid4().hex,
            request_id=2 * uuid4().hex,
            origin=present,
            config=config.model_copy(update={"name": f"model-{number}", "provenance": _of_a_run()}),
            digest=digest if present == revision else 2 * uuid4().hex,
            model_type="sklearn",
            cause="deployed",
            created_at=now,
            server_created_at=now,
            history=history,
        )
        history = merged(history, [entry_of(record, Outcome.SERVED, "replaced")])
    return record


def _of_a_run() -> Provenance:
    return Provenance(pipeline_name="train", pipeline_run_id=str(uuid4()), pipeline_step_name="deploy")
