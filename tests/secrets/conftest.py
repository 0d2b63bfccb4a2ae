"""A home, a Prefect server and a deployer in which secrets are planted."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from prefect.blocks.system import Secret

from deployer.ports import free_port
from tests.prefect_server.fixtures import PrefectServer
from tests.secrets.planted import planted
from tests.secrets.world import World
from tests.sources.servers.web import Web, serving

OF_ENVIRONMENT, OF_FILE, OF_BLOCK, COMMON_TOKEN, OWN_TOKEN = "environment", "file", "block", "common-token", "own-token"
CREDENTIAL = "credential"
NAMES = (OF_ENVIRONMENT, OF_FILE, OF_BLOCK, COMMON_TOKEN, OWN_TOKEN, CREDENTIAL)


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, prefect_server: PrefectServer) -> Iterator[World]:
    """The secrets stand where references lead to, outside of all that is searched."""
    secrets = {name: planted(name) for name in NAMES}
    home = tmp_path / "home"
    home.mkdir()
    (tmp_path / "of-the-user").write_text(secrets[OF_FILE] + "\n")
    for variable, value in {
        "HOME": str(home),
        "COLUMNS": "10000",  # A secret that is broken at a line's end would not be seen.
        "PLANTED": secrets[OF_ENVIRONMENT],
        "COMMON_TOKEN": secrets[COMMON_TOKEN],
        "CREDENTIAL": f"Bearer {secrets[CREDENTIAL]}",
    }.items():
        monkeypatch.setenv(variable, value)
    for block, name in {"planted": OF_BLOCK, "planted-token": OWN_TOKEN}.items():
        Secret(value=secrets[name]).save(block, overwrite=True, _sync=True)  # type: ignore[call-arg]
    with (
        serving(Web(token=secrets[CREDENTIAL])) as web,
        World(secrets, tmp_path, home, prefect_server, web, free_port()).running() as world,
    ):
        yield world
