import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from prefect.blocks.core import Block
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import BlockDocumentCreate
from prefect.settings import PREFECT_API_URL, temporary_settings
from prefect.testing.standard_test_suites.blocks import BlockStandardTestSuite
from prefect.utilities.dispatch import get_registry_for_type

import deployer
from blocks.model_deployer_block import ModelDeployerBlock
from blocks.process_model_deployer import ProcessModelDeployer
from deployer.errors import InvalidConfig, PrefectUnavailable, UnknownName
from deployer.flavors.process.deployer import ProcessModelDeployer as Deployer
from deployer.flavors.process.settings import ProcessSettings
from deployer.ports import free_port
from tests.prefect_server.fixtures import PrefectServer

pytestmark = [pytest.mark.xdist_group("prefect"), pytest.mark.usefixtures("prefect_server")]


class TestAsEveryBlock(BlockStandardTestSuite):
    @pytest.fixture
    def block(self) -> type[Block]:
        return ProcessModelDeployer

    def test_has_a_valid_image(self, block: type[Block]) -> None:
        """It has none: a browser would have to fetch it from somewhere."""
        assert block._logo_url is None


def save_as_the_ui_does(name: str, **data: Any) -> None:
    """Without validating it."""
    ProcessModelDeployer.register_type_and_schema(_sync=True)  # type: ignore[call-arg]
    with get_client(sync_client=True) as client:
        block_type = client.read_block_type_by_slug("process-model-deployer")
        schema_id = ProcessModelDeployer._block_schema_id
        assert schema_id
        client.create_block_document(
            BlockDocumentCreate(name=name, data=data, block_schema_id=schema_id, block_type_id=block_type.id)
        )


def test_it_has_the_flavors_settings_and_no_field_of_its_own() -> None:
    assert list(ProcessModelDeployer.model_fields) == list(ProcessSettings.model_fields)


def test_a_saved_block_gives_a_deployer_with_its_settings(tmp_path: Path) -> None:
    ProcessModelDeployer(state_dir=tmp_path, keep_models=5).save("kept", _sync=True)  # type: ignore[call-arg]
    one = deployer.load("process-model-deployer/kept")
    assert isinstance(one, Deployer)
    assert (one.state_dir, one.keep_models) == (tmp_path, 5)


def test_a_program_that_never_imported_it_can_load_it(prefect_server: PrefectServer, tmp_path: Path) -> None:
    ProcessModelDeployer(state_dir=tmp_path).save("elsewhere", _sync=True)  # type: ignore[call-arg]
    program = "import deployer; print(deployer.load('process-model-deployer/elsewhere').state_dir)"
    run = subprocess.run(
        [sys.executable, "-c", program], env=prefect_server.env, capture_output=True, text=True, timeout=60, check=True
    )
    assert run.stdout.strip() == str(tmp_path)


def test_one_field_is_required_in_the_schema_alone_so_that_references_fit_no_block() -> None:
    schema = ProcessModelDeployer.model_json_schema()
    assert (schema["required"], schema["title"]) == (["keep_models"], "ProcessModelDeployer")
    assert ProcessModelDeployer().keep_models == ProcessSettings().keep_models


def test_who_may_call_is_asked_for_in_the_form_as_plain_text(tmp_path: Path) -> None:
    fields = ProcessModelDeployer.model_json_schema()["properties"]
    for name in ("bind", "token", "url_host"):
        assert (fields[name]["type"], fields[name]["default"]) == ("string", ""), "empty, not null, is left out"
        assert fields[name]["title"] and fields[name]["description"].endswith(".")
    saved = ProcessModelDeployer(state_dir=tmp_path, bind="0.0.0.0", token="env:CALLERS_TOKEN")
    saved.save("guarded", _sync=True)  # type: ignore[call-arg]
    one = deployer.load("process-model-deployer/guarded")
    assert isinstance(one, Deployer) and one.token == "env:CALLERS_TOKEN"


def test_what_the_ui_saved_open_to_other_machines_without_a_token_is_refused() -> None:
    save_as_the_ui_does("open", bind="0.0.0.0")
    with pytest.raises(InvalidConfig, match="set `token` too"):
        deployer.load("process-model-deployer/open")


def test_nonsense_that_the_ui_saved_names_the_block_and_its_fields() -> None:
    save_as_the_ui_does("nonsense", gateway_port="eighty", keep_modles=3)
    with pytest.raises(InvalidConfig) as caught:
        deployer.load("process-model-deployer/nonsense")
    for word in ("process-model-deployer/nonsense", "gateway_port", "keep_modles", "Blocks"):
        assert word in str(caught.value)


def test_an_incomplete_block_that_the_ui_saved_takes_the_defaults() -> None:
    save_as_the_ui_does("incomplete", state_dir=None)
    one = deployer.load("process-model-deployer/incomplete")
    assert isinstance(one, Deployer)
    assert one.keep_models == ProcessSettings().keep_models


def test_nonsense_from_python_fails_where_it_is_written() -> None:
    with pytest.raises(ValueError, match="gateway_port"):
        ProcessModelDeployer(gateway_port="eighty")


def test_an_unknown_block_is_told_apart_from_an_unreachable_server() -> None:
    with pytest.raises(UnknownName, match="process-model-deployer/nowhere"):
        deployer.load("process-model-deployer/nowhere")


def test_an_unreachable_prefect_server_is_a_typed_error() -> None:
    nowhere = f"http://127.0.0.1:{free_port()}/api"
    with temporary_settings({PREFECT_API_URL: nowhere}), pytest.raises(PrefectUnavailable) as caught:
        deployer.load("process-model-deployer/default")
    assert "PREFECT_API_URL" in str(caught.value)


def test_the_abstract_block_is_not_in_the_catalogue() -> None:
    registered = (get_registry_for_type(Block) or {}).values()
    assert ProcessModelDeployer in registered
    assert ModelDeployerBlock not in registered
