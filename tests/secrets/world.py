"""Where a whole life happens, and every place in which something of it may stay."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from blocks.process_model_deployer import ProcessModelDeployer as ProcessBlock
from deployer.config import ModelServerConfig
from deployer.flavors.process.deployer import ProcessModelDeployer
from deployer.flavors.process.settings import ProcessSettings
from deployer.gateways.traefik_settings import Address
from tests.prefect_server.fixtures import PrefectServer, until_closed
from tests.prefect_server.served import config
from tests.secrets import places
from tests.secrets.places import Arguments, Places, looking_at_arguments
from tests.sources.servers.web import Web
from tests.support.command_line import PROGRAM, Answer

REFERENCES = {"OF_ENVIRONMENT": "env:PLANTED", "OF_BLOCK": "prefect:secret/planted"}
OWN_TOKEN = {"token": "prefect:secret/planted-token"}


@dataclass
class World:
    """A deployer whose callers must show a token, and all around it."""

    planted: dict[str, str]
    folder: Path
    home: Path
    prefect: PrefectServer
    web: Web
    port: int
    arguments: Arguments = field(default_factory=Arguments)
    deployer: ProcessModelDeployer = field(init=False)

    @contextmanager
    def running(self) -> Iterator["World"]:
        with until_closed(self.settings) as self.deployer, looking_at_arguments() as self.arguments:
            yield self

    @property
    def settings(self) -> ProcessSettings:
        return ProcessSettings(state_dir=self.folder / "state", gateway_port=self.port, token="env:COMMON_TOKEN")

    @property
    def block(self) -> ProcessBlock:
        return ProcessBlock(**self.settings.model_dump())

    def config(self, answer: str, mode: str = "ok", **fields: Any) -> ModelServerConfig:
        """One whose server is given each of the secrets."""
        references = {**REFERENCES, "OF_FILE": f"file:{self.folder / 'of-the-user'}"}
        given: dict[str, Any] = {"name": "churn", "secrets": references, "access": OWN_TOKEN}
        return config(self.folder, answer, mode, **given | fields)

    def fetched(self, answer: str) -> ModelServerConfig:
        """One whose model is fetched with a credential."""
        wanted = self.config(answer)
        self.web.files["/model.json"] = (Path(wanted.model_uri) / "model.json").read_bytes()
        credentials = {"MODEL_DEPLOYER_HTTP_AUTHORIZATION": "env:CREDENTIAL"}
        return wanted.model_copy(update={"model_uri": f"{self.web.address}/model.json", "credentials": credentials})

    def command(self, *words: str) -> Answer:
        """What `model-deployer` says."""
        ran = subprocess.run(
            [PROGRAM, *words], env=self.environment, capture_output=True, text=True, timeout=90, check=False
        )
        return Answer(ran.returncode, ran.stdout, ran.stderr)

    def first_line_of_watching(self) -> str:
        """Of `list --watch`, which is ended then."""
        command = [str(PROGRAM), "list", "--watch", "--json"]
        with subprocess.Popen(command, env=self.environment, stdout=subprocess.PIPE, text=True) as watching:
            assert watching.stdout
            line = watching.stdout.readline()
            watching.terminate()
            watching.communicate(timeout=20)
            return line

    @property
    def environment(self) -> dict[str, str]:
        settings = self.settings.model_dump(exclude_none=True)
        return {**os.environ, **{f"MODEL_DEPLOYER_{name.upper()}": str(value) for name, value in settings.items()}}

    @property
    def places(self) -> Places:
        return {
            "state directory": partial(places.files, self.folder / "state"),
            "home": partial(places.files, self.home),
            "Prefect's home": partial(places.files, self.prefect.home),
            "Prefect's database": partial(places.rows, self.prefect.home / "prefect.db"),
            "Prefect's API": partial(places.answers, self.prefect.api_url),
            "Traefik's admin API": partial(places.raw_data, self._admin_port),
            "arguments": self.arguments.all,
        }

    def holds(self, place: str, text: str) -> bool:
        """Whether that is to be read in that place."""
        return any(text.encode() in content for _, content in self.places[place]())

    def _admin_port(self) -> int:
        address = Address.remembered(self.folder / "state" / "gateway" / "address")
        assert address
        return address.admin
