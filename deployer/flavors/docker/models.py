"""The bytes of models on an engine: each in a volume, filled once, complete or not used.

A volume of two fillers could be torn, so each fill has a volume of its own; whoever finds a complete one uses it. A
marker, written last, tells which is.
"""

import contextlib
import io
import os
import secrets
import tarfile
import threading
from collections.abc import Callable, Container, Iterator
from dataclasses import dataclass
from pathlib import Path

from deployer.errors import EngineUnavailable, ModelGone
from deployer.flavors.docker import labels
from deployer.flavors.docker.connection import Connection
from deployer.flavors.docker.refusals import AGAIN, Gone, gone_is_fine, refusals

MOUNTED_AT = "/opt/model-deployer"
MARKER = "complete"
FOLDER, FILE = "folder", "file"
CHUNK = 1024 * 1024


@dataclass(frozen=True)
class ModelVolume:
    """One complete volume; `place` is where in it the model is."""

    name: str
    place: str

    @property
    def bind(self) -> str:
        return f"{self.name}:{MOUNTED_AT}:ro"

    @property
    def model(self) -> str:
        """The model's path in the container."""
        return f"{MOUNTED_AT}/{self.place}"


@dataclass(frozen=True)
class Models:
    """Those of one engine.

    Args:
        path_of: where the bytes of a digest are on this machine; raises `ModelGone` where they are not.
    """

    connection: Connection
    path_of: Callable[[str], Path]

    def ensure(self, digest: str, image: str, served: Container[str] = ()) -> ModelVolume:
        """A complete volume with that model, filled from this machine where the engine has none.

        Args:
            image: any that the engine has, to open volumes with.
            served: volumes that a workload has, which are complete, as it would not be there otherwise.

        Raises:
            ModelGone: neither the engine nor this machine has the bytes.
            EngineError: it cannot be filled.
        """
        return self.find(digest, image, served) or self._fill(digest, self.path_of(digest), image)

    def find(self, digest: str, image: str, served: Container[str] = ()) -> ModelVolume | None:
        """A complete volume with that model."""
        with refusals(f"the volumes of the model {digest[:12]} could not be listed"):
            asked = {"label": [f"{labels.DIGEST}={digest}"]}
            found = self.connection.api.volumes(filters=asked).get("Volumes") or []
        volumes = [ModelVolume(told["Name"], told["Labels"].get(labels.PLACE, FOLDER)) for told in found]
        if known := next((volume for volume in volumes if volume.name in served), None):
            return known
        for volume in volumes:
            with contextlib.suppress(Gone), self._opened(volume.name, image) as helper:
                if self.is_complete(helper):
                    return volume
        return None

    def copy(self, digest: str, folder: Path) -> bool:
        """Put the engine's copy into an empty folder, as `folder/…` or `file/NAME`; False where it has none."""
        image = self._any_image()
        volume = self.find(digest, image) if image else None
        if volume is None:
            return False
        into = folder / Path(volume.place).parent
        into.mkdir(exist_ok=True)
        with self._opened(volume.name, image) as helper, refusals(f"the model {digest[:12]} could not be copied"):
            chunks, _ = self.connection.api.get_archive(helper, volume.model)
            with tarfile.open(fileobj=_Reader(chunks), mode="r|") as tar:
                tar.extractall(into, filter="data")
        return True

    def _any_image(self) -> str:
        """To open a volume with; the engine that has one has the image of what serves it."""
        with refusals("the images could not be listed"):
            found = self.connection.api.images(quiet=True)
        return str(found[0]) if found else ""

    def is_complete(self, container: str) -> bool:
        """Whether the volume that a created container has mounted was filled to its end."""
        with refusals(f"the model's volume of {container[:12]} could not be looked at"):
            return self.connection.has_file(container, f"{MOUNTED_AT}/{MARKER}")

    def _fill(self, digest: str, path: Path, image: str) -> ModelVolume:
        volume = ModelVolume(f"model-{digest[:12]}-{secrets.token_hex(4)}", _place(path))
        told = {labels.DIGEST: digest, labels.PLACE: volume.place}
        with refusals(f"the model {digest[:12]} could not be put into a volume"):
            self.connection.api.create_volume(volume.name, labels=told)
        try:
            with self._opened(volume.name, image, "rw") as helper:
                with _tar_of(path, volume.place) as archive:
                    self._put(helper, archive)
                self._put(helper, _marker())
        except BaseException:
            with contextlib.suppress(Exception):
                self.connection.api.remove_volume(volume.name)
            raise
        return volume

    def _put(self, helper: str, archive: "io.BufferedIOBase | io.RawIOBase") -> None:
        with refusals("the model could not be put into its volume"):
            if not self.connection.api.put_archive(helper, MOUNTED_AT, archive):
                raise EngineUnavailable("The model could not be put into its volume.", hint=AGAIN)

    @contextlib.contextmanager
    def _opened(self, volume: str, image: str, mode: str = "ro") -> Iterator[str]:
        """A container that is never started and has the volume mounted; removed afterwards."""
        api = self.connection.api
        with refusals(f"the volume {volume} could not be opened"):
            helper = api.create_container(
                image,
                command=["nothing"],
                labels={labels.HELPER: volume},
                network_disabled=True,
                host_config=api.create_host_config(binds=[f"{volume}:{MOUNTED_AT}:{mode}"]),
            )["Id"]
        try:
            yield helper
        finally:
            with gone_is_fine(), refusals(f"the volume {volume} could not be closed"):
                api.remove_container(helper, force=True)


class _Reader(io.RawIOBase):
    """Chunks as a file that is read once."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks, self._rest = chunks, b""

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        while size < 0 or len(self._rest) < size:
            chunk = next(self._chunks, b"")
            if not chunk:
                break
            self._rest += chunk
        taken, self._rest = (self._rest, b"") if size < 0 else (self._rest[:size], self._rest[size:])
        return taken


def _place(path: Path) -> str:
    return FOLDER if path.is_dir() else f"{FILE}/{path.name}"


@contextlib.contextmanager
def _tar_of(path: Path, place: str) -> Iterator["io.BufferedReader"]:
    """The model as a tar that is made while it is read, so that none is ever whole in memory.

    Raises:
        ModelGone: it could not be read to its end; what was read of it is no model.
    """
    reads, writes = os.pipe()
    failed: list[OSError] = []

    def write() -> None:
        try:
            with open(writes, "wb") as sink, tarfile.open(fileobj=sink, mode="w|", dereference=True) as tar:
                tar.add(path, place, filter=_for_anybody)
        except BrokenPipeError:
            pass  # Whoever reads has given up, and tells why.
        except OSError as error:
            failed.append(error)

    writer = threading.Thread(target=write, name="tar of a model", daemon=True)
    with open(reads, "rb") as source:
        writer.start()
        yield source
    writer.join()
    if failed:
        what = f"The model could not be read to its end: {failed[0].strerror}: {failed[0].filename}"
        raise ModelGone(what, hint="Deploy the model again.")


def _for_anybody(member: tarfile.TarInfo) -> tarfile.TarInfo:
    """Readable to whatever user the server is, and nobody's to change."""
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    member.mode = 0o755 if member.isdir() or member.mode & 0o100 else 0o644
    return member


def _marker() -> io.BytesIO:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as tar:
        tar.addfile(tarfile.TarInfo(MARKER))
    return io.BytesIO(made.getvalue())
