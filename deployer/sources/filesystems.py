"""Models in object stores, read through fsspec: all objects below a prefix, or one object."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from deployer.errors import InvalidConfig, Unsupported
from deployer.sources.answers import Asked
from deployer.sources.download import again_and_again, changed, download_pieces
from deployer.sources.fetched import entry_of
from deployer.sources.remote import Brought, RemoteFile, checked_place, is_left_out, version_of
from deployer.sources.watch import Watch

ADDRESS = re.compile(r"[A-Za-z0-9]+://[^/]+(/.*)?")
About = Mapping[str, Any]
"""What a file system says of one object."""


@dataclass(frozen=True)
class Kind:
    """One kind of object store.

    Attributes:
        module, opened_by: what to import, and the class or function in it that gives the file system.
        version: an object's version.
        sums: what the store says of an object's content, as `RemoteFile.sums`.
    """

    extra: str
    module: str
    opened_by: str
    credentials: str
    options: Mapping[str, Any]
    version: Callable[[About], str]
    sums: Callable[[About], dict[str, str]]


class ObjectsModel:
    """A model that is one object, or all objects below a prefix.

    Raises:
        InvalidConfig: the URI does not name a container.
    """

    def __init__(self, uri: str, kind: Kind) -> None:
        if not ADDRESS.fullmatch(uri):
            raise InvalidConfig(
                f"The model URI {uri!r} names no bucket or container.", hint=f"Write {kind.extra}://container/key."
            )
        self._asked = Asked(uri, kind.credentials)
        self._kind = kind
        self._path = uri.partition("://")[2].rstrip("/")
        with self._asked.translated():
            try:
                self._system: Any = _system(kind)
            except ValueError:  # What is given does not make up a whole account.
                raise self._asked.denied("there are no credentials for it") from None
        self._files = again_and_again()(self._look)

    @property
    def version(self) -> str:
        return version_of(self._files)

    @property
    def _single(self) -> bool:
        return [file.key for file in self._files] == [self._path]

    def bring(self, work: Path, watch: Watch) -> Brought:
        lines = download_pieces(self._files, self._read, work / "fetched", watch)
        if again_and_again()(self._look) != self._files:
            raise changed(self._asked.uri)
        return entry_of(work, lines, single=self._single, watch=watch)

    def _look(self) -> list[RemoteFile]:
        with self._asked.translated():
            self._system.invalidate_cache()
            found = self._found()
        files = [self._file(key, about) for key, about in sorted(found.items()) if not _is_folder(key, about)]
        if not (kept := [file for file in files if not is_left_out(file.place)]):
            raise self._asked.not_found()
        return kept

    def _found(self) -> dict[str, Any]:
        found = self._system.find(self._path, detail=True)
        # Azure's says of a single blob no more than that it is there.
        return found if isinstance(found, dict) else {key: self._system.info(key) for key in found}

    def _file(self, key: str, about: About) -> RemoteFile:
        place = key.rpartition("/")[2] if key == self._path else key.removeprefix(f"{self._path}/")
        return RemoteFile(
            place=checked_place(place, self._asked.uri),
            key=key,
            size=int(about["size"]),
            version=self._kind.version(about),
            sums=self._kind.sums(about),
        )

    def _read(self, file: RemoteFile, start: int, end: int) -> bytes:
        with self._asked.translated():
            return bytes(self._system.cat_file(file.key, start=start, end=end))


def _system(kind: Kind) -> Any:
    try:
        module = import_module(kind.module)
    except ImportError:
        raise missing(kind.extra, kind.module.partition(".")[0]) from None
    opened = getattr(module, kind.opened_by)
    return opened(skip_instance_cache=True, use_listings_cache=False, **kind.options)


def missing(extra: str, module: str) -> Unsupported:
    """What reads such URIs is not installed."""
    return Unsupported(
        f"Such a model URI needs the package {module}, which is not installed here.",
        hint=f"Install it: pip install 'prefect-model-deployer[{extra}]'",
    )


def _is_folder(key: str, about: About) -> bool:
    """Some stores keep empty objects for folders."""
    return about.get("type") == "directory" or key.endswith("/")
