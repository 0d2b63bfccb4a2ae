"""What uv is told of the deployer's environment."""

from pathlib import Path

import pytest

from deployer.environments.index import no_index, variables


def test_pips_settings_are_uvs(tmp_path: Path) -> None:
    told = variables(
        {
            "PIP_INDEX_URL": "https://one/simple",
            "PIP_EXTRA_INDEX_URL": "https://two/simple https://three/simple",
            "PIP_FIND_LINKS": f"{tmp_path} {tmp_path}/absent https://four/links",
            "PIP_CERT": "/certificate.pem",
        }
    )
    assert told["UV_DEFAULT_INDEX"] == "https://one/simple"
    assert told["UV_INDEX"] == "https://two/simple https://three/simple"
    assert told["UV_FIND_LINKS"] == f"{tmp_path},https://four/links"
    assert told["SSL_CERT_FILE"] == "/certificate.pem"


@pytest.mark.parametrize("own", ["UV_DEFAULT_INDEX", "UV_INDEX_URL"])
def test_uvs_own_settings_outrank_pips(own: str) -> None:
    told = variables({"PIP_INDEX_URL": "https://pips", own: "https://uvs"})
    assert "https://pips" not in told.values() and told[own] == "https://uvs"


def test_no_secret_of_other_things_reaches_a_build() -> None:
    told = variables({"DATABASE_PASSWORD": "hush", "PREFECT_API_KEY": "hush", "GIT_TOKEN": "hush", "HOME": "/home/ann"})
    assert "hush" not in told.values() and told["HOME"] == "/home/ann"


def test_nothing_leads_it_astray_and_it_fetches_no_python() -> None:
    told = variables(
        {"UV_PYTHON": "3.8", "UV_SYSTEM_PYTHON": "1", "UV_PYTHON_DOWNLOADS": "automatic", "PYTHONPATH": "/"}
    )
    assert not {"UV_PYTHON", "UV_SYSTEM_PYTHON", "PYTHONPATH"} & told.keys()
    assert told["UV_PYTHON_DOWNLOADS"] == "never"


@pytest.mark.parametrize(("value", "expected"), [("1", True), ("true", True), ("0", False), ("", False)])
def test_pip_may_be_told_to_ask_no_index(value: str, expected: bool) -> None:
    assert no_index({"PIP_NO_INDEX": value}) is expected
