"""Unpacks .zip and .tar.gz, and nothing that would reach beyond the model."""

import gzip
import os
import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from deployer.errors import InvalidModel, StateDirectoryUnusable
from deployer.sources import paths, tars
from deployer.sources.answers import NOTHING_CHANGED
from deployer.sources.remote import checked_place, is_left_out
from deployer.sources.watch import Watch
from deployer.words import size_in_words

ZIPS, TARS = (".zip",), (".tar.gz", ".tgz")
MOST_ENTRIES = 200_000
LARGEST_RATIO, ALWAYS_ALLOWED = 100, 1 << 30
CHUNK = 1024 * 1024
PATH_MAX = 4096
HINT = "Make it anew from the model's folder: tar -czf model.tar.gz -C FOLDER ."
BROKEN = (
    tarfile.TarError,
    gzip.BadGzipFile,
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    RuntimeError,
    ValueError,
    KeyError,
)


@dataclass(frozen=True)
class Entry:
    """One thing in an archive: a file (`content`), a link, or a folder (neither)."""

    name: str
    content: IO[bytes] | None = None
    link: str = ""
    executable: bool = False


def is_archive(name: str) -> bool:
    return name.lower().endswith((*ZIPS, *TARS))


def unpack(archive: Path, into: Path, watch: Watch) -> None:
    """Unpack an archive into a folder that does not exist; where all of it lies in one folder, that is the model.

    Raises:
        InvalidModel: it is broken, encrypted, far larger than itself, or holds what is no part of a model.
        StateDirectoryUnusable: there is no room for it.
    """
    staging = into.with_name("unpacked")
    shutil.rmtree(staging, ignore_errors=True)
    try:
        if _unpack(archive, staging, watch):
            paths.fetch_path(str(_model_in(staging)), into, watch)
        else:
            _settle(_model_in(staging), into, archive.name)
    except InvalidModel as error:
        what = error.what.replace(f"{staging.resolve()}/", "").replace(f"{staging}/", "")
        raise InvalidModel(what, serving=NOTHING_CHANGED, hint=HINT) from None
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _unpack(archive: Path, staging: Path, watch: Watch) -> bool:
    """Whether it holds links."""
    unpacking = Unpacking(archive, staging, watch)
    entries = _zipped if archive.name.lower().endswith(ZIPS) else _tarred
    try:
        for entry in entries(archive):
            unpacking.take(entry)
    except BROKEN as error:
        raise InvalidModel(f"The archive {archive.name} cannot be read: {type(error).__name__}.") from None
    unpacking.link()
    return bool(unpacking.links)


def _settle(model: Path, into: Path, name: str) -> None:
    files = [path for path in model.rglob("*") if path.is_file()]
    if not files:
        raise InvalidModel(f"There is no file in the archive {name}.")
    for file in files:
        file.chmod(0o555 if file.stat().st_mode & stat.S_IXUSR else 0o444)
    model.rename(into)


@dataclass
class Unpacking:
    """Writes an archive's entries below a folder, links last, so that nothing is written through one."""

    archive: Path
    root: Path
    watch: Watch
    links: dict[str, str] = field(default_factory=dict)
    entries: int = 0

    def __post_init__(self) -> None:
        self.root.mkdir()
        size = self.archive.stat().st_size
        self.left = max(ALWAYS_ALLOWED, size * LARGEST_RATIO)
        self.room = shutil.disk_usage(self.root).free

    def take(self, entry: Entry) -> None:
        self.entries += 1
        if self.entries > MOST_ENTRIES:
            raise InvalidModel(f"The archive {self.archive.name} holds more than {MOST_ENTRIES:,} entries.")
        name = entry.name.removeprefix("./").rstrip("/") if entry.name not in (".", "./") else ""
        if not name:
            return
        place = checked_place(name, f"The archive {self.archive.name}")
        if is_left_out(place):
            return
        try:
            self._write(entry, place)
        except (FileExistsError, NotADirectoryError, IsADirectoryError):
            raise self._twice(place) from None

    def link(self) -> None:
        """Make the links, now that all files are there; whoever copies them looks where they lead."""
        root = self.root.resolve()
        for place, target in self.links.items():
            path = root / place
            # Before anything is made there: an earlier link may lead out of the folder.
            if path.parent.resolve() != path.parent or os.path.lexists(path):
                raise self._twice(place)
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
            except (FileExistsError, NotADirectoryError):
                raise self._twice(place) from None
            path.symlink_to(target)

    def _twice(self, place: str) -> InvalidModel:
        return InvalidModel(f"The archive {self.archive.name} holds {place!r} twice.")

    def _write(self, entry: Entry, place: str) -> None:
        target = self.root / place
        if entry.link:
            self.links[place] = entry.link
        elif entry.content is None:
            target.mkdir(parents=True, exist_ok=True)
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("xb") as out:
                while chunk := entry.content.read(CHUNK):
                    self._count(len(chunk))
                    out.write(chunk)
            if entry.executable:
                target.chmod(0o755)

    def _count(self, size: int) -> None:
        self.left -= size
        self.room -= size
        self.watch.beat()
        if self.left < 0:
            raise InvalidModel(
                f"The archive {self.archive.name} unpacks to more than {LARGEST_RATIO} times its size "
                f"and {size_in_words(ALWAYS_ALLOWED)}."
            )
        if self.room < 0:
            raise StateDirectoryUnusable(
                f"The archive {self.archive.name} unpacks to more than the disk's free space.",
                serving="What serves now serves on.",
                hint="Free some space where models are kept.",
            )


def _model_in(staging: Path) -> Path:
    """The one folder that holds everything, or all of it."""
    content = list(staging.iterdir())
    alone = len(content) == 1 and content[0].is_dir() and not content[0].is_symlink()
    return content[0] if alone else staging


def _zipped(archive: Path) -> Iterator[Entry]:
    with zipfile.ZipFile(archive) as opened:
        for info in opened.infolist():
            mode = info.external_attr >> 16
            if info.flag_bits & 1:
                raise InvalidModel(f"The archive {archive.name} is encrypted.")
            if info.is_dir():
                yield Entry(info.filename)
            elif stat.S_ISLNK(mode):
                with opened.open(info) as content:
                    yield Entry(info.filename, link=os.fsdecode(content.read(PATH_MAX)))
            elif stat.S_IFMT(mode) not in (0, stat.S_IFREG):
                raise _no_part(archive, info.filename)
            else:
                with opened.open(info) as content:
                    yield Entry(info.filename, content, executable=bool(mode & stat.S_IXUSR))


def _tarred(archive: Path) -> Iterator[Entry]:
    for member, content in tars.members(archive):
        if member.isdir():
            yield Entry(member.name)
        elif member.issym():
            yield Entry(member.name, link=member.linkname)
        elif content:
            yield Entry(member.name, content, executable=bool(member.mode & stat.S_IXUSR))
        else:
            raise _no_part(archive, member.name)


def _no_part(archive: Path, name: str) -> InvalidModel:
    return InvalidModel(
        f"The archive {archive.name} holds {name!r}, which is neither a file, a folder nor a link; "
        "pipes and devices are no part of a model."
    )
