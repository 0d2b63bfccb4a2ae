"""What cannot be had is refused with an error of ours that says what to do next, and leaves nothing behind."""

import http.server
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from deployer.config import Docker, ModelServerConfig, Resources
from deployer.errors import (
    DeployerError,
    EngineError,
    EngineUnavailable,
    ImageUnusable,
    InvalidConfig,
    Unsupported,
)
from deployer.flavors.docker.deployer import DockerModelDeployer
from deployer.flavors.docker.settings import DockerSettings
from deployer.testing.docker import DockerHarness

REFUSED: dict[str, tuple[dict[str, Any], type[DeployerError], str]] = {
    "too little memory": ({"resources": Resources(memory="5Mi")}, Unsupported, "some hundred Mi"),
    "more memory than there is": ({"resources": Resources(memory="900Ti")}, Unsupported, "larger machine"),
    "more CPUs than there are": ({"resources": Resources(cpu=4000)}, Unsupported, "Ask for fewer"),
    "replicas": ({"replicas": 2}, Unsupported, "Set replicas to 1"),
    "an image that is missing": ({"docker": Docker(image="127.0.0.1:1/none:1")}, ImageUnusable, "docker pull"),
    "no port": ({"command": {"line": ""}}, InvalidConfig, "Set `port`"),
    "a GPU where there is none": ({"resources": Resources(gpu=1)}, DeployerError, "resources.gpu to 0"),
}


@pytest.mark.xdist_group("docker")
@pytest.mark.parametrize("what", REFUSED)
def test_what_the_engine_cannot_give_is_refused_and_nothing_is_left(harness: DockerHarness, what: str) -> None:
    fields, kind, hint = REFUSED[what]
    with pytest.raises(kind) as refused:
        harness.deployer().deploy_model(harness.config("v1", **fields), timeout=30)
    assert hint in str(refused.value)
    assert "docker.errors" not in str(refused.value)
    for server in harness.deployer().find_model_server():
        harness.deployer().delete_model_server(server.uuid)
    assert harness.leftovers() == []


def test_where_no_engine_answers_it_is_said_how_to_have_one(tmp_path: Path) -> None:
    told = _told(tmp_path, docker_host=f"unix://{tmp_path}/none.sock")
    assert isinstance(told, EngineUnavailable)
    assert "no Docker engine answers" in told.what and "systemctl start docker" in told.hint


def test_an_engine_that_is_too_old_is_told_so(tmp_path: Path) -> None:
    said = "client version 1.41 is too new. Maximum supported API version is 1.40"
    with _answers(400, said) as url:
        told = _told(tmp_path, docker_host=url)
    assert isinstance(told, EngineError)
    assert "1.40" in told.what and "20.10" in told.hint


def test_an_engine_elsewhere_is_refused(tmp_path: Path) -> None:
    deployer = DockerModelDeployer(DockerSettings(state_dir=tmp_path, docker_host="tcp://engine.invalid:2376"))
    with pytest.raises(Unsupported, match="not on this machine") as refused:
        deployer.deploy_model(ModelServerConfig(name="churn", model_uri="nowhere", docker=Docker(image="x")))
    assert refused.value.hint


@pytest.mark.parametrize("missing", ["ca", "key"])
def test_certificates_that_are_not_there_are_named(tmp_path: Path, missing: str) -> None:
    for name in {"ca", "cert", "key"} - {missing}:
        (tmp_path / f"{name}.pem").touch()
    told = _told(tmp_path, docker_host="tcp://127.0.0.1:1", tls_folder=tmp_path)
    assert f"{missing}.pem is missing" in told.what and "tls_folder" in told.hint


def test_certificates_that_are_none_are_told_so(tmp_path: Path) -> None:
    for name in ("ca", "cert", "key"):
        (tmp_path / f"{name}.pem").write_text("nonsense")
    with _answers(200, "") as url:
        told = _told(tmp_path, docker_host=url, tls_folder=tmp_path)
    assert "tls_folder" in told.hint


def test_an_engine_that_wants_tls_and_is_asked_without_is_told_so(tmp_path: Path) -> None:
    with _answers(400, "Client sent an HTTP request to an HTTPS server.") as url:
        told = _told(tmp_path, docker_host=url)
    assert "tls_folder" in told.hint


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody who may not use the socket")
def test_a_socket_that_may_not_be_used_names_the_group(tmp_path: Path) -> None:
    import socket

    place = tmp_path / "docker.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(place))
        listener.listen()
        os.chmod(place, 0o600)
        for folder in (tmp_path, *tmp_path.parents):
            if folder.stat().st_uid == 0 and str(folder) not in ("/", "/tmp", "/var", "/var/tmp"):
                os.chmod(folder, 0o755)
        program = (
            "import os, docker, docker.errors, requests.exceptions, urllib3.exceptions\n"
            "from deployer.flavors.docker.connection import Connection\n"
            "from deployer.flavors.docker.refusals import refusals\n"
            f"api = Connection('unix://{place}').api\n"
            "os.setuid(65534)\n"
            "try:\n    with refusals('asked'): api.containers()\n"
            "except Exception as error: print(type(error).__name__, error)\n"
        )
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout.startswith("EngineError"), done
    assert "group docker" in done.stdout


def _told(tmp_path: Path, **settings: Any) -> DeployerError:
    deployer = DockerModelDeployer(DockerSettings(state_dir=tmp_path / "state", **settings))
    with pytest.raises(DeployerError) as told:
        deployer.find_model_server()
    assert told.value.hint
    return told.value


@contextmanager
def _answers(status: int, message: str) -> Iterator[str]:
    """An API that says this to everything."""

    class Says(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps({"message": message}).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_HEAD = do_GET

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Says) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield f"tcp://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
