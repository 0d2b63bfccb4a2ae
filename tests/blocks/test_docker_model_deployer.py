from pathlib import Path

import pytest
from prefect.blocks.core import Block
from prefect.testing.standard_test_suites.blocks import BlockStandardTestSuite

import deployer
from blocks.docker_model_deployer import DockerModelDeployer
from deployer.errors import InvalidConfig
from deployer.flavors.docker.deployer import DockerModelDeployer as Deployer
from deployer.flavors.docker.settings import DockerSettings

pytestmark = [pytest.mark.xdist_group("prefect"), pytest.mark.usefixtures("prefect_server")]


class TestAsEveryBlock(BlockStandardTestSuite):
    @pytest.fixture
    def block(self) -> type[Block]:
        return DockerModelDeployer

    def test_has_a_valid_image(self, block: type[Block]) -> None:
        """It has none: a browser would have to fetch it from somewhere."""
        assert block._logo_url is None


def test_it_has_the_flavors_settings_and_no_field_of_its_own() -> None:
    assert list(DockerModelDeployer.model_fields) == list(DockerSettings.model_fields)


def test_a_saved_block_gives_a_deployer_with_its_settings_and_asks_no_engine_for_it(tmp_path: Path) -> None:
    host = f"unix://{tmp_path}/no.sock"
    DockerModelDeployer(state_dir=tmp_path, docker_host=host, image="serve:1").save("kept", _sync=True)  # type: ignore[call-arg]
    one = deployer.load("docker-model-deployer/kept")
    assert isinstance(one, Deployer)
    assert (one.connection.url, one.settings.image) == (host, "serve:1")


def test_nonsense_from_python_fails_where_it_is_written() -> None:
    with pytest.raises(ValueError, match="too few addresses"):
        DockerModelDeployer(subnet="10.1.1.0/30")


def test_what_holds_nonsense_names_the_block_and_its_fields() -> None:
    block = DockerModelDeployer.model_validate({"subnet": "somewhere", "imagge": "x"})
    with pytest.raises(InvalidConfig) as caught:
        block.get_deployer()
    for word in ("docker-model-deployer", "subnet", "imagge"):
        assert word in str(caught.value)
