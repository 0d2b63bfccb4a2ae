import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from deployer.sources.fetching import Terms
from deployer.store import Store
from tests.sources.servers.programs import KEY, SECRET, free_port, program
from tests.sources.servers.web import Web, serving

BIN = Path(sys.executable).parent
OURS = ("AWS_", "AZURE_", "HF_", "GOOGLE_", "MLFLOW_", "STORAGE_EMULATOR_HOST", "NETRC")


@pytest.fixture(autouse=True)
def nobodys_credentials(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test is told who the user is who runs it."""
    for name in os.environ:
        if name.startswith(OURS):
            monkeypatch.delenv(name)
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "models")


@pytest.fixture
def web() -> Iterator[Web]:
    with serving(Web()) as web:
        yield web


@dataclass(frozen=True)
class S3:
    """A real S3 API, and the folder that holds its buckets."""

    address: str
    folder: Path

    def put(self, files: dict[str, bytes]) -> None:
        for key, content in files.items():
            (self.folder / key).parent.mkdir(parents=True, exist_ok=True)
            (self.folder / key).write_bytes(content)


@pytest.fixture
def s3(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[S3]:
    folder, port = tmp_path / "buckets", free_port()
    (folder / "bucket").mkdir(parents=True)
    command = [str(BIN / "rclone"), "serve", "s3", "--addr", f"127.0.0.1:{port}", "--dir-cache-time", "0s"]
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    with program([*command, "--auth-key", f"{KEY},{SECRET}", str(folder)], port, tmp_path / "s3.log") as address:
        monkeypatch.setenv("AWS_ENDPOINT_URL", address)
        yield S3(address, folder)


def left_in(store: Store) -> set[str]:
    """What stands in a store, but for what is remembered."""
    return {path.name for path in store.root.iterdir()} - {".known"} if store.root.exists() else set()


def content_of(store: Store, digest: str) -> dict[str, bytes]:
    model = store.path(digest)
    if model.is_file():
        return {model.name: model.read_bytes()}
    return {path.relative_to(model).as_posix(): path.read_bytes() for path in model.rglob("*") if path.is_file()}


def impatient(silence_s: float = 3.0, **fields: object) -> Terms:
    return Terms(silence_s=silence_s, **fields)  # type: ignore[arg-type]
