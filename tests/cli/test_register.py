"""A deployer of somebody else's, in a distribution of its own, on a real Prefect server."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from prefect.client.orchestration import get_client

from deployer.flavors.process.settings import ProcessSettings
from deployer.ports import free_port
from deployer.testing.models import write_model
from tests.prefect_server.fixtures import PrefectServer, until_closed
from tests.support.command_line import PROGRAM, Answer, quick_config

pytestmark = [pytest.mark.xdist_group("prefect"), pytest.mark.timeout(300)]

THEIRS = '''
from abc import abstractmethod
from deployer.base import BaseModelDeployer
from deployer.flavors.process.deployer import ProcessModelDeployer
from deployer.flavors.process.settings import ProcessSettings
from pydantic import Field

class TheirSettings(ProcessSettings):
    colour: str = Field(default="red", title="Colour", description="Of nothing.")

class TheirDeployer(ProcessModelDeployer):
    """Serves models in their own way."""
    FLAVOR = "theirs"
    SETTINGS = TheirSettings

class NotInstalled(TheirDeployer):
    FLAVOR = "elsewhere"

class Half(BaseModelDeployer):
    FLAVOR = "half"

class WithoutSettings(ProcessModelDeployer):
    FLAVOR, SETTINGS = "bare", None

nothing = 7
'''
ENTRY_POINTS = """
[model_deployer.flavors]
theirs = their_package.deployer:TheirDeployer
broken = their_package.absent:Absent
"""
METADATA = "Metadata-Version: 2.1\nName: their-package\nVersion: 1.0\n"
SAVE = """
import sys
from prefect.blocks.core import Block
block = Block.get_block_class_from_key("theirs-model-deployer")
block(state_dir=sys.argv[1], gateway_port=int(sys.argv[2]), colour="blue").save("prod", _sync=True)
"""
IN_A_FLOW = """
from flows.find_model_servers import find_model_servers
print([server.name for server in find_model_servers("theirs-model-deployer/prod")])
"""


@pytest.fixture
def theirs(tmp_path: Path) -> Path:
    """Where their distribution is installed."""
    site = tmp_path / "site"
    (site / "their_package").mkdir(parents=True)
    (site / "their_package" / "deployer.py").write_text(THEIRS)
    (site / "their_package-1.0.dist-info").mkdir()
    (site / "their_package-1.0.dist-info" / "METADATA").write_text(METADATA)
    (site / "their_package-1.0.dist-info" / "entry_points.txt").write_text(ENTRY_POINTS)
    return site


@pytest.fixture
def settings(tmp_path: Path) -> Iterator[ProcessSettings]:
    settings = ProcessSettings(state_dir=tmp_path / "state", gateway_port=free_port())
    with until_closed(settings):
        yield settings


def run(site: Path, command: list[object], **environment: str) -> Answer:
    ran = subprocess.run(
        [str(word) for word in command],
        env={**os.environ, "PYTHONPATH": str(site), **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return Answer(ran.returncode, ran.stdout, ran.stderr)


def register(site: Path, name: str, **environment: str) -> Answer:
    return run(site, [PROGRAM, "flavor", "register", name, "--json"], **environment)


def test_it_becomes_a_block_type_and_its_blocks_are_taken_by_the_command_and_by_flows(
    prefect_server: PrefectServer, theirs: Path, settings: ProcessSettings, tmp_path: Path
) -> None:
    registered = register(theirs, "their_package.deployer.TheirDeployer")
    assert registered.exit_code == 0, registered.stderr
    assert registered.json == {
        "flavor": "theirs",
        "class": "their_package.deployer.TheirDeployer",
        "block_type": "theirs-model-deployer",
        "server": prefect_server.api_url,
    }
    with get_client(sync_client=True) as client:
        block_type = client.read_block_type_by_slug("theirs-model-deployer")
        (schema,) = [one for one in client.read_block_schemas() if one.block_type_id == block_type.id]
    assert (block_type.name, block_type.description) == ("Theirs Model Deployer", "Serves models in their own way.")
    assert "colour" in schema.fields["properties"]
    again = register(theirs, "their_package.deployer.TheirDeployer")
    assert (again.exit_code, again.json) == (0, registered.json)

    saved = run(theirs, [sys.executable, "-c", SAVE, settings.state_dir, settings.gateway_port])
    assert saved.exit_code == 0, saved.stderr
    deployed = run(
        theirs,
        [
            *(PROGRAM, "-d", "theirs-model-deployer/prod", "deploy", "churn"),
            *(write_model(tmp_path / "model", "v1"), *quick_config(tmp_path), "--json"),
        ],
    )
    assert (deployed.exit_code, deployed.json["state"]) == (0, "ready"), deployed.stderr
    in_a_flow = run(theirs, [sys.executable, "-c", IN_A_FLOW])
    assert in_a_flow.stdout.strip().endswith("['churn']"), in_a_flow.stderr


@pytest.mark.parametrize(
    ("name", "kind", "said"),
    [
        ("their_package.deployer.NotInstalled", "InvalidRequest", "as the flavor elsewhere"),
        ("their_package.deployer.Half", "InvalidRequest", "it leaves out"),
        ("their_package.deployer.WithoutSettings", "InvalidRequest", "SETTINGS is no pydantic model"),
        ("their_package.deployer.nothing", "InvalidRequest", "no subclass of"),
        ("their_package.deployer.Absent", "UnknownName", "cannot be imported"),
        ("their_package.absent.Absent", "UnknownName", "cannot be imported"),
        ("Absent", "UnknownName", "cannot be imported"),
        ("", "UnknownName", "cannot be imported"),
        ("..", "UnknownName", "cannot be imported"),
        ("deployer.flavors.memory.deployer.MemoryModelDeployer", "UnknownName", "no Block type"),
    ],
)
@pytest.mark.usefixtures("prefect_server")
def test_what_is_no_deployer_that_a_worker_would_find_is_refused(theirs: Path, name: str, kind: str, said: str) -> None:
    refused = register(theirs, name)
    assert (refused.exit_code, refused.stdout, refused.error["error"]) == (2, "", kind)
    assert said in refused.error["what"]
    assert refused.error["hint"]


def test_without_a_prefect_server_it_says_how_to_start_one(theirs: Path) -> None:
    refused = register(theirs, "their_package.deployer.TheirDeployer", PREFECT_API_URL="")
    assert (refused.exit_code, refused.error["error"]) == (1, "PrefectUnavailable")


def test_doctor_names_a_flavor_that_cannot_be_imported(theirs: Path) -> None:
    found = run(theirs, [PROGRAM, "doctor", "--json"], PREFECT_API_URL="")
    (check,) = (one for one in found.json["checks"] if one["name"] == "flavors")
    assert (found.exit_code, check["status"]) == (1, "fail")
    assert "broken (ModuleNotFoundError" in check["what"]
