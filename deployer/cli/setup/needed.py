"""What the shipped deployments need on a Prefect server; each is made where it is missing, and else left as it is."""

import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deployer.cli.setup import shipped
from deployer.cli.setup.prefect_server import environment, prefect_client, require_server
from deployer.errors import DeployerError
from deployer.prefect_block import block_type

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient

POOL_TYPE = "process"
BLOCK_TYPE, BLOCK_NAME = block_type("process"), "default"
DEPLOYED_WITHIN_S = 300.0
LAST_LINES = 8


@dataclass(frozen=True)
class Thing:
    """One thing that is needed.

    Attributes:
        made: whether it was made now; else it was there.
    """

    kind: str
    name: str
    made: bool


def provide(file: Path, settings: dict[str, Any]) -> Iterator[Thing]:
    """Each thing that is needed, once it is there.

    Args:
        file: where deployments.yaml is, or shall be.
        settings: of the default Block, where that is missing.

    Raises:
        PrefectUnavailable: no server is set, or it does not answer.
        InvalidRequest: the file is another one.
        DeployerError: the server refuses something.
    """
    require_server()
    wanted = _ours(shipped.checked(file))
    for pool in sorted({one.work_pool for one in wanted if one.work_pool}):
        yield Thing("work pool", pool, _work_pool(pool))
    yield Thing("block", f"{BLOCK_TYPE}/{BLOCK_NAME}", _block(settings))
    yield Thing("file", str(file), shipped.put(file))
    missing = _not_deployed(wanted)
    _deploy(file, [one.name for one in missing])
    for one in wanted:
        yield Thing("deployment", one.name, one in missing)


def _ours(text: str) -> list[shipped.Named]:
    """What else a person has added to the file is theirs to deploy."""
    ours = {one.name for one in shipped.deployments_in(shipped.shipped())}
    return [one for one in shipped.deployments_in(text) if one.name in ours]


def _work_pool(name: str) -> bool:
    from prefect.client.schemas.actions import WorkPoolCreate
    from prefect.exceptions import ObjectAlreadyExists
    from prefect.workers.process import ProcessWorker

    def make(client: "SyncPrefectClient") -> None:
        template = ProcessWorker.get_default_base_job_template()
        client.create_work_pool(WorkPoolCreate(name=name, type=POOL_TYPE, base_job_template=template))

    return _made_where_missing(lambda client: client.read_work_pool(name), make, ObjectAlreadyExists)


def _block(settings: dict[str, Any]) -> bool:
    from prefect.blocks.core import Block

    def make(client: "SyncPrefectClient") -> None:
        block: Any = Block.get_block_class_from_key(BLOCK_TYPE)(**settings)
        block.save(BLOCK_NAME, _sync=True)

    def look(client: "SyncPrefectClient") -> object:
        return client.read_block_document_by_name(BLOCK_NAME, BLOCK_TYPE)

    return _made_where_missing(look, make, ValueError)


def _made_where_missing(
    look: "Callable[[SyncPrefectClient], object]",
    make: "Callable[[SyncPrefectClient], object]",
    somebody_was_faster: type[Exception],
) -> bool:
    from prefect.exceptions import ObjectNotFound

    with prefect_client() as client:
        try:
            look(client)
            return False
        except ObjectNotFound:
            pass
        try:
            make(client)
        except somebody_was_faster:
            look(client)
            return False
    return True


def _not_deployed(wanted: Sequence[shipped.Named]) -> list[shipped.Named]:
    from prefect.client.schemas.filters import DeploymentFilter, DeploymentFilterName

    names = [one.name for one in wanted]
    with prefect_client() as client:
        found = client.read_deployments(
            deployment_filter=DeploymentFilter(name=DeploymentFilterName(any_=names)), limit=200
        )
    there = {(one.name, one.entrypoint) for one in found}
    return [one for one in wanted if (one.name, one.entrypoint) not in there]


def _deploy(file: Path, names: Sequence[str]) -> None:
    """By Prefect's own command, which alone reads such a file."""
    if not names:
        return
    command = [sys.executable, "-P", "-m", "prefect", "--no-prompt", "deploy", "--prefect-file", str(file)]
    command += [word for name in names for word in ("--name", name)]
    try:
        ran = _run_elsewhere(command)
    except subprocess.TimeoutExpired:
        raise DeployerError(
            f"`prefect deploy` did not end within {DEPLOYED_WITHIN_S:g} s.", hint="Run the same again: it goes on."
        ) from None
    if ran.returncode:
        lines = "\n".join((ran.stdout + ran.stderr).strip().splitlines()[-LAST_LINES:])
        raise DeployerError(
            f"`prefect deploy` of {', '.join(names)} failed with exit code {ran.returncode}; its last lines:\n{lines}",
            hint="Mend what it says, then run the same again: what is there already stays.",
        )


def _run_elsewhere(command: Sequence[str]) -> "subprocess.CompletedProcess[str]":
    """In a folder of its own: from the user's it would import their `flows` in place of ours."""
    with tempfile.TemporaryDirectory() as folder:
        return subprocess.run(
            command,
            env=environment(),
            cwd=folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=DEPLOYED_WITHIN_S,
            check=False,
        )
