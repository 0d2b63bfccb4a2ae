from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest

from deployer import references
from deployer.errors import InvalidConfig, UnknownName
from deployer.flavors.memory.deployer import MemoryModelDeployer
from deployer.flavors.process.deployer import ProcessModelDeployer


def test_a_flavor_is_loaded_by_its_name_with_its_settings() -> None:
    loaded = references.load("memory", platform="mine")
    assert isinstance(loaded, MemoryModelDeployer)
    assert loaded.platform is MemoryModelDeployer(loaded.SETTINGS(platform="mine")).platform


def test_process_is_the_flavor_of_those_who_name_none(tmp_path: Path) -> None:
    loaded = references.load(state_dir=tmp_path / "state")
    assert isinstance(loaded, ProcessModelDeployer)
    assert not (tmp_path / "state").exists(), "it was loaded, not used"


def test_an_unknown_flavor_is_told_which_there_are() -> None:
    with pytest.raises(UnknownName, match="no flavor named 'proces'") as error:
        references.load("proces")
    assert "memory" in error.value.hint and "process" in error.value.hint and "type/name" in error.value.hint


def test_a_flavor_that_cannot_be_imported_says_what_it_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    broken = EntryPoint("theirs", "no_such_package.deployer:TheirDeployer", references.FLAVORS)
    monkeypatch.setattr(references, "flavors", lambda: {"theirs": broken})
    with pytest.raises(UnknownName, match="no_such_package") as error:
        references.load("theirs")
    assert error.value.hint


@pytest.mark.parametrize("settings", [{"gateway_ports": 1}, {"gateway_port": "high"}, {"gateway_port": 0}])
def test_settings_that_do_not_fit_name_the_field_and_those_that_there_are(settings: dict[str, Any]) -> None:
    with pytest.raises(InvalidConfig, match=next(iter(settings))) as error:
        references.load("process", **settings)
    assert "state_dir" in error.value.hint and "gateway_port" in error.value.hint


def test_the_value_that_was_wrong_is_not_repeated() -> None:
    with pytest.raises(InvalidConfig) as error:
        references.load("process", gateway_port="a-password-by-mistake")
    assert "a-password-by-mistake" not in str(error.value)
    assert error.value.__cause__ is None and error.value.__suppress_context__


def test_a_block_has_its_settings_in_itself() -> None:
    with pytest.raises(InvalidConfig, match="state_dir cannot be given") as error:
        references.load("process-model-deployer/prod", state_dir="x")
    assert "Change the Block" in error.value.hint


def test_our_flavors_are_found_as_anybody_elses() -> None:
    assert {"memory", "process"} <= references.flavors().keys()
