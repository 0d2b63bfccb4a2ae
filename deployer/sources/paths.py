"""Models on this machine: plain paths and `file:` URIs."""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import BinaryIO
from urllib.parse import unquote_to_bytes, urlsplit

from deployer.errors import InvalidConfig, InvalidModel, ModelNotFound
from deployer.sources.remote import LEFT_OUT
from deployer.sources.watch import Watch

CHUNK = 1024 * 1024


def fetch_path(uri: str, into: Path, watch: Watch) -> Path:
    """Copy from a path; a relative one starts at the working directory, `~` at the user's home."""
    return _copy(Path(os.path.expanduser(uri)).absolute(), into, watch)


def fetch_file_uri(uri: str, into: Path, watch: Watch) -> Path:
    """Copy from an absolute `file:` URI of this machine, percent-decoded."""
    parts = urlsplit(uri)
    if parts.netloc.lower() not in ("", "localhost"):
        raise InvalidConfig(
            f"{uri!r} names a file on the host {parts.netloc!r}; only this machine's files can be read.",
            hint="Write file:///absolute/path, with three slashes.",
        )
    if parts.query or parts.fragment:
        raise InvalidConfig(
            f"{uri!r} goes on after its path.", hint="Write ? as %3F and # as %23 where they belong to a name."
        )
    path = os.fsdecode(unquote_to_bytes(parts.path))
    if not path.startswith("/") or "\0" in path:
        raise InvalidConfig(f"{uri!r} holds no absolute path.", hint="Write file:///absolute/path, or a plain path.")
    return _copy(Path(path), into, watch)


def _copy(model: Path, into: Path, watch: Watch) -> Path:
    real = _found(model)
    if real.is_dir():
        _copy_folder(real, into, watch)
        return into
    into.mkdir(parents=True, exist_ok=True)
    watch.expect(_size(real), into)
    _copy_file(real, into / model.name, watch)
    return into / model.name


def _found(model: Path) -> Path:
    try:
        return _real(model)
    except (FileNotFoundError, NotADirectoryError):
        nearest = next(parent for parent in model.parents if parent.exists())
        raise ModelNotFound(
            f"There is no model at {model}.",
            hint=f"The nearest folder that exists is {nearest}; relative paths start at {Path.cwd()}.",
        ) from None
    except OSError as error:
        raise InvalidModel(f"The model at {model} cannot be reached: {error.strerror}.") from None


def _real(path: Path) -> Path:
    return Path(os.path.realpath(path, strict=True))


def _copy_folder(model: Path, into: Path, watch: Watch) -> None:
    if into.absolute().is_relative_to(model):
        raise InvalidModel(
            f"The folder {model} holds the place that models are copied to, {into.parent}.",
            hint="Give the model's own folder, or move the state directory out of it.",
        )
    files = list(_files(model))
    if not files:
        raise InvalidModel(f"There is no file in the folder {model}.", hint="Save the model there, or correct its URI.")
    into.mkdir(parents=True, exist_ok=True)
    watch.expect(sum(_size(file) for file, _ in files), into)
    for file, place in files:
        target = into / place
        target.parent.mkdir(parents=True, exist_ok=True)
        _copy_file(file, target, watch)


def _files(model: Path) -> Iterator[tuple[Path, PurePosixPath]]:
    """Every file of a model, links followed, with its place below the model."""
    folders = [(model, PurePosixPath(), frozenset({model}))]
    while folders:
        folder, place, above = folders.pop()
        for name in _names(folder):
            path, is_folder = _followed(folder / name, model)
            if not is_folder:
                yield path, place / name
            elif path in above:
                raise InvalidModel(f"The link {folder / name} leads back to a folder that it lies in.")
            else:
                folders.append((path, place / name, above | {path}))


def _names(folder: Path) -> list[str]:
    with _reading(folder):
        return [name for name in os.listdir(folder) if name != LEFT_OUT]


def _followed(path: Path, model: Path) -> tuple[Path, bool]:
    """Where a path of the model leads, and whether a folder is there."""
    with _reading(path):
        target = _real(path) if path.is_symlink() else path
        is_folder = stat.S_ISDIR(target.stat().st_mode)
    if not target.is_relative_to(model):
        raise InvalidModel(
            f"The link {path} leads out of the model, to {target}.",
            hint=f"Copy the model with what its links lead to: cp -RL {model} …",
        )
    return target, is_folder


def _size(file: Path) -> int:
    with _reading(file):
        return file.stat().st_size


def _copy_file(source: Path, target: Path, watch: Watch) -> None:
    with _reading(source):
        stream = _open_regular(source)
    with stream, target.open("xb") as copy:
        while chunk := _read(stream, source):
            copy.write(chunk)
            watch.got(len(chunk))
        executable = os.fstat(stream.fileno()).st_mode & stat.S_IXUSR
        os.fchmod(copy.fileno(), 0o555 if executable else 0o444)


def _open_regular(path: Path) -> BinaryIO:
    if not stat.S_ISREG(path.stat().st_mode):
        raise InvalidModel(f"{path} is neither a file nor a folder; sockets, pipes and devices are no part of a model.")
    return path.open("rb")


def _read(stream: BinaryIO, path: Path) -> bytes:
    with _reading(path):
        return stream.read(CHUNK)


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        kind = "is a link to nothing" if path.is_symlink() else "vanished while the model was copied"
        raise InvalidModel(f"{path} {kind}.", hint="Save the model whole, then deploy it again.") from None
    except OSError as error:
        raise InvalidModel(
            f"{path} cannot be read: {error.strerror}.", hint="Make the model readable for the user who deploys it."
        ) from None
