"""A registry of images on loopback that asks for a login: Debian's docker-registry."""

import shutil
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from deployer.ports import free_port

USER, PASSWORD = "pusher", "rather-secret"
CONFIG = """
version: 0.1
log: {{level: error, accesslog: {{disabled: true}}}}
storage: {{filesystem: {{rootdirectory: {folder}/data}}, delete: {{enabled: true}}}}
http: {{addr: "127.0.0.1:{port}"}}
auth: {{htpasswd: {{realm: test, path: {folder}/htpasswd}}}}
"""


@dataclass(frozen=True)
class Registry:
    folder: Path
    port: int

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    def tags(self, repository: str) -> list[str]:
        """What was pushed there."""
        tags = self.folder / "data/docker/registry/v2/repositories" / repository / "_manifests/tags"
        return sorted(path.name for path in tags.iterdir()) if tags.exists() else []

    def forget(self, repository: str) -> None:
        shutil.rmtree(self.folder / "data/docker/registry/v2/repositories" / repository)


def missing_programs() -> str:
    """What to install; empty where all is here."""
    programs = {"docker-registry": "docker-registry", "htpasswd": "apache2-utils"}
    missing = [package for program, package in programs.items() if not shutil.which(program)]
    return f"apt-get install {' '.join(missing)}" if missing else ""


@contextmanager
def image_registry(folder: Path) -> Iterator[Registry]:
    """One that runs until the end of the context."""
    registry = Registry(folder, free_port())
    (folder / "config.yml").write_text(CONFIG.format(folder=folder, port=registry.port))
    hashed = subprocess.run(["htpasswd", "-Bbn", USER, PASSWORD], capture_output=True, check=True)
    (folder / "htpasswd").write_bytes(hashed.stdout)
    with open(folder / "log", "wb") as log:
        process = subprocess.Popen(["docker-registry", "serve", str(folder / "config.yml")], stdout=log, stderr=log)
    try:
        _wait(process, registry)
        yield registry
    finally:
        process.kill()
        process.wait()


def _wait(process: "subprocess.Popen[bytes]", registry: Registry, within_s: float = 20) -> None:
    until = time.monotonic() + within_s
    while time.monotonic() < until:
        assert process.poll() is None, (registry.folder / "log").read_text()
        try:
            urllib.request.urlopen(f"http://{registry.host}/v2/", timeout=1)
        except urllib.error.HTTPError as error:
            assert error.code == 401, error
            return
        except OSError:
            time.sleep(0.05)
    raise AssertionError(f"the registry does not answer: {(registry.folder / 'log').read_text()}")
