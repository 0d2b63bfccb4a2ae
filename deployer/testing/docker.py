"""The docker flavor for the suite."""

import contextlib
import hashlib
import io
import json
import os
import shlex
import tarfile
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

from deployer.config import Command
from deployer.config import Docker as DockerSection
from deployer.engine import Phase
from deployer.flavors.docker import labels
from deployer.flavors.docker.connection import Connection
from deployer.flavors.docker.deployer import DockerModelDeployer
from deployer.flavors.docker.network import NAME as NETWORK
from deployer.flavors.docker.rows import Row, row_of
from deployer.flavors.docker.settings import DockerSettings
from deployer.gateway import Backend
from deployer.ports import free_port
from deployer.records.names import platform_name, workload_name
from deployer.server import ModelServer
from deployer.testing import model_server, proxy
from deployer.testing.harness import ModelFolder, Trait
from deployer.testing.over_http import HttpHarness
from deployer.testing.strangers import NEWER, Strangers, newer_record, on_disk

BASE_IMAGE = "MODEL_DEPLOYER_TEST_IMAGE"
USUAL_BASE_IMAGE = "python:3.11-slim"
SERVER_IMAGE = "model-deployer-test/server"
SERVER = "/model_server.py"
GONE_WITHIN_S = 10.0
HALF_MADE = ("models/.*", "gateway/.*", "gateway/proxy/.*", "gateway/scratch/*")


@dataclass(frozen=True)
class DockerHarness(ModelFolder, HttpHarness):
    """A state directory and a Traefik of its own, and an engine that has no other model servers; `close` empties it.

    Attributes:
        host: of the engine; empty: as the environment says.
        gateway_port: one that no other test's gateway would choose while this one is down.
    """

    traits: ClassVar[frozenset[Trait]] = frozenset(
        {Trait.NO_PIDS, Trait.NO_PORTS, Trait.DISK_OF_THE_ENGINE, Trait.BYTES_STAY}
    )
    tries: ClassVar[int] = 1
    host: str = ""
    gateway_port: int = field(default_factory=free_port)

    def __post_init__(self) -> None:
        there = [row.name for row in self._rows()]
        assert not there, f"this engine has model servers, which tests would end: {there}"

    @property
    def connection(self) -> Connection:
        return Connection(self.host)

    @property
    def image(self) -> str:
        """Of the suite's model server, built once."""
        return server_image(self.host)

    def deployer(self) -> DockerModelDeployer:
        """A new deployer over the engine and the state directory."""
        settings = DockerSettings(
            state_dir=self.root / "state", gateway_port=self.gateway_port, docker_host=self.host, image=self.image
        )
        return DockerModelDeployer(settings)

    def kill(self, server: ModelServer) -> None:
        """SIGKILL for all that runs in its container; returns once the engine says that it does not run."""
        self.signal(server, "KILL")
        until = time.monotonic() + GONE_WITHIN_S
        while self.container(server).phase is Phase.RUNNING:
            assert time.monotonic() < until, f"{server.name} was killed and still runs"
            time.sleep(0.01)

    def hang(self, server: ModelServer) -> None:
        """The suite's model server hangs on USR2."""
        self.signal(server, "USR2")

    def signal(self, server: ModelServer, name: str) -> None:
        """Send it to the container of what serves."""
        self.connection.api.kill(self.container(server).id, signal=name)

    def container(self, server: ModelServer) -> Row:
        """Of what serves."""
        name = workload_name(platform_name(server.name), server.revision)
        return next(row for row in self._rows() if row.workload == name)

    def gateway_down(self) -> AbstractContextManager[None]:
        """Its proxy is dead, and a stranger has its ports."""
        return proxy.killed(self.deployer().gateway)

    def erase_all_but_records(self) -> None:
        """Remove the whole state directory, as a second machine has none; the gateway runs on."""
        import shutil

        for name in ("gateway", "models"):
            shutil.rmtree(self.deployer().state_dir / name)

    @contextmanager
    def strangers(self, in_the_way_of: ModelServer | None = None) -> Iterator[Strangers]:
        """Containers that carry our label and nonsense, or another's record, and files among the routes."""
        deployer = self.deployer()
        record, gateway, api = deployer.engine.list()[0].record, deployer.gateway, self.connection.api
        told = {"nonsense-r1": "no record", f"{NEWER}-r1": newer_record(record), "moved-r1": record.model_dump_json()}
        if in_the_way_of:
            told[workload_name(platform_name(in_the_way_of.name), in_the_way_of.revision + 1)] = ""
        routes = deployer.state_dir / "gateway" / "routes"
        theirs = {
            routes / "theirs.yml": json.dumps({"http": {"services": {"theirs": {"loadBalancer": {"servers": []}}}}}),
            routes / "theirs.txt": "a note",
        }
        tag = gateway.write(NEWER, (Backend(1, "http://127.0.0.1:1"),), 1, "")
        with ExitStack() as there:
            there.callback(gateway.remove, NEWER, tag)
            look_at_files = there.enter_context(on_disk(theirs))
            for name, text in told.items():
                made = api.create_container(self.image, ["x"], name=name, labels={labels.RECORD: text})
                there.callback(api.remove_container, made["Id"], force=True)

            def look() -> dict[str, Any]:
                containers = {name: _seen(api, name) for name in told}
                return {**look_at_files(), **containers, "the route": gateway.routes(NEWER)}

            yield Strangers({*told, *map(str, theirs)}, look)

    def leftovers(self) -> list[str]:
        """Containers and notes that no workload has, and files that nobody needs any more."""
        deployer, api = self.deployer(), self.connection.api
        tokens = {workload.record.token for workload in deployer.engine.list()}
        containers = [row.name for row in self._rows() if row.token not in tokens]
        helpers = api.containers(all=True, filters={"label": [labels.HELPER]})
        notes = [v["Name"] for v in self._volumes(labels.NOTE) if v["Labels"][labels.NOTE] not in tokens]
        files = [str(path) for pattern in HALF_MADE for path in deployer.state_dir.glob(pattern)]
        return [*containers, *(str(one["Names"]) for one in helpers), *notes, *files]

    def close(self) -> None:
        """End every server and the gateway, and empty the engine of what is ours, but for the network.

        Raises:
            AssertionError: a server was there that its deployer could not delete.
        """
        deployer, api = self.deployer(), self.connection.api
        try:
            for server in deployer.find_model_server():
                deployer.delete_model_server(server.uuid, force=True)
        finally:
            deployer.gateway.shutdown()
            left = [row.name for row in self._rows()]
            for label in (labels.RECORD, labels.HELPER):
                for one in api.containers(all=True, filters={"label": [label]}):
                    with contextlib.suppress(Exception):
                        api.remove_container(one["Id"], force=True)
            for label in (labels.NOTE, labels.DIGEST, labels.GATEWAY):
                for volume in self._volumes(label):
                    with contextlib.suppress(Exception):
                        api.remove_volume(volume["Name"])
            assert not left, f"still there: {left}"

    def _defaults(self, model: Path) -> dict[str, Any]:
        program = ["python3", "-I", "-S", SERVER, "--host", "0.0.0.0"]
        line = f"{shlex.join(program)} --port {{port}} --model {{model}}"
        return {**super()._defaults(model), "command": Command(line=line), "docker": DockerSection(image=self.image)}

    def _rows(self) -> list[Row]:
        told = self.connection.api.containers(all=True, filters={"label": [labels.RECORD]})
        return [row_of(one, NETWORK) for one in told]

    def _volumes(self, label: str) -> list[dict[str, Any]]:
        return self.connection.api.volumes(filters={"label": [label]}).get("Volumes") or []


@cache
def server_image(host: str = "") -> str:
    """An image with the suite's model server, on the base image that MODEL_DEPLOYER_TEST_IMAGE names."""
    base = os.environ.get(BASE_IMAGE) or USUAL_BASE_IMAGE
    program = Path(model_server.__file__).read_bytes()
    dockerfile = f"FROM {base}\nCOPY model_server.py {SERVER}\n".encode()
    tag = f"{SERVER_IMAGE}:{hashlib.sha256(dockerfile + program).hexdigest()[:12]}"
    context = io.BytesIO()
    with tarfile.open(fileobj=context, mode="w") as tar:
        for name, content in {"Dockerfile": dockerfile, "model_server.py": program}.items():
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(content), 0o644
            tar.addfile(member, io.BytesIO(content))
    api = Connection(host).api
    if not api.images(name=tag):
        context.seek(0)
        told = list(api.build(fileobj=context, custom_context=True, tag=tag, rm=True, forcerm=True, decode=True))
        assert api.images(name=tag), told
    return tag


def remove_what_tests_share(host: str = "") -> None:
    """The network, and the images of the suite's model server.

    An engine of version 20.10 may have lost count of a network's ends: it refuses to remove one that has none.
    """
    from docker.errors import APIError

    api = Connection(host).api
    server_image.cache_clear()
    for image in api.images(name=SERVER_IMAGE):
        api.remove_image(image["Id"], force=True)
    for network in api.networks(names=[NETWORK], filters={"label": labels.NETWORK}):
        try:
            api.remove_network(network["Id"])
        except APIError as error:
            ends = api.inspect_network(network["Id"])["Containers"]
            assert "active endpoints" in str(error) and not ends, (str(error), ends)


def _seen(api: Any, name: str) -> dict[str, Any]:
    told: dict[str, Any] = api.inspect_container(name)
    return {key: told[key] for key in ("Id", "Name", "State", "Config", "HostConfig")}
