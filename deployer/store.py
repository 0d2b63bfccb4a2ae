"""The bytes of models, by digest."""

import os
import re
import secrets
import shutil
import time
from collections.abc import Iterator, Set
from contextlib import contextmanager, suppress
from errno import EDQUOT, EFBIG, ENOSPC
from pathlib import Path

from deployer.digest import digest_of
from deployer.errors import DeployerError, EngineUnavailable, ModelGone, StateDirectoryUnusable
from deployer.processes import locks
from deployer.processes.passing import AGAIN, passes
from deployer.sources.fetch import fetch, is_remote
from deployer.sources.fetching import Terms, fetching
from deployer.sources.partial import PARTIAL, Partials
from deployer.sources.remembered import Remembered
from deployer.sources.watch import Watch

DIGEST = re.compile(r"[0-9a-f]{64}")
UNFINISHED = ".tmp-"
FOLDER, FILE = "folder", "file"
UNTOUCHED_S = 24 * 3600.0
UNLOCKED_S = 60.0
"""A copy this old has its lock, or nobody."""


class Store:
    """Keeps each model once, under the digest of its bytes; any number of deployers may share it.

    An entry is `<root>/<digest>/folder/…` for a model that is a folder, `<root>/<digest>/file/<its name>`
    for one that is a single file. What is being copied lies in `<root>/.tmp-…`, what is being fetched in
    `<root>/.partial-…`, each locked by whoever is at it; `<root>/.known` says which version of a URI has which digest.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._partials = Partials(root)
        self._remembered = Remembered(root)

    def add(self, uri: str, terms: Terms | None = None) -> str:
        """Copy the model at a URI into the store; one elsewhere whose version is here is not fetched again.

        Returns:
            The digest of what was copied: 64 hex digits.

        Raises:
            InvalidConfig, ModelNotFound, InvalidModel: as `deployer.sources.fetch.fetch`.
            AccessDenied, ModelChanged, SourceUnavailable: as `deployer.sources.fetching.Fetching.bring`.
            RolloutTimeout: the time is over.
            StateDirectoryUnusable: the store cannot be written, or is full.
        """
        with self._writing():
            return (self._fetched if is_remote(uri) else self._copied)(uri, terms or Terms())

    def _copied(self, uri: str, terms: Terms) -> str:
        with self._unfinished() as entry:
            model = fetch(uri, entry / FOLDER, Watch(terms.on_bytes, terms.until))
            if model != entry / FOLDER:
                (entry / FOLDER).rename(entry / FILE)
                model = entry / FILE / model.name
            digest = digest_of(model)
            _flush(entry)
            self._keep(entry, digest)
            return digest

    def _fetched(self, uri: str, terms: Terms) -> str:
        with fetching(uri, terms) as remote:
            version = remote.version()
            known = self._remembered.digest(uri, version)
            if self.has(known) and self._touch(known):
                return known
            with self._partials.work(uri, version) as work:
                digest = remote.bring(work).digest
                _flush(work / "entry")
                self._keep(work / "entry", digest)
        self._remembered.note(uri, version, digest)
        return digest

    def has(self, digest: str) -> bool:
        """Whether a model's bytes are here."""
        return bool(DIGEST.fullmatch(digest)) and (self.root / digest).is_dir()

    def path(self, digest: str) -> Path:
        """The model's folder, or the model's file where it is a single file; asking for it counts as a touch.

        Raises:
            ModelGone: its bytes are not here.
        """
        with suppress(OSError):
            self._touch(digest)
        if not self.has(digest):
            raise ModelGone(
                f"The bytes of the model {digest[:12]} are no longer in {self.root}.",
                hint="Deploy the model again from where it is.",
            )
        entry = self.root / digest
        return next((entry / FILE).iterdir(), entry) if (entry / FILE).is_dir() else entry / FOLDER

    def unnamed(self, keep: Set[str]) -> set[str]:
        """The digests of the models that are here and not in `keep`."""
        if not self.root.is_dir():
            return set()
        return {path.name for path in self.root.iterdir() if DIGEST.fullmatch(path.name)} - keep

    def untouched(self, keep: Set[str], untouched_s: float) -> list[Path]:
        """Where models lie that nobody names in `keep` and nobody touched for so many seconds."""
        unnamed = [self.root / digest for digest in sorted(self.unnamed(keep))]
        return [entry for entry in unnamed if _untouched(entry, untouched_s)]

    def remove(self, entry: Path, untouched_s: float) -> bool:
        """Remove one of those, unless somebody has touched it since; whether it is gone.

        Raises:
            StateDirectoryUnusable: the store cannot be written.
        """
        with self._writing():
            return self._removed(entry, untouched_s)

    def broken_off(self, untouched_s: float) -> list[Path]:
        """Where copies and half-fetched models lie that nobody makes any more."""
        begun = sorted(path for prefix in (UNFINISHED, PARTIAL) for path in self.root.glob(f"{prefix}*"))
        return [path for path in begun if _is_abandoned(path, untouched_s)]

    def remove_broken_off(self, unfinished: Path, untouched_s: float) -> None:
        """Remove one of those, unless somebody makes it."""
        _remove_if_abandoned(unfinished, untouched_s)

    def collect(self, keep: Set[str], untouched_s: float = UNTOUCHED_S) -> set[str]:
        """Remove the models that nobody names in `keep` and nobody touched for so many seconds, and broken-off copies.

        Returns:
            The digests of the models that were removed.

        Raises:
            StateDirectoryUnusable: the store cannot be written.
        """
        if not self.root.is_dir():
            return set()
        with self._writing():
            for path in self.root.glob(f"{UNFINISHED}*"):
                _remove_if_abandoned(path)
            self._partials.collect()
            self._remembered.forget(self.has)
            return {digest for digest in self.unnamed(keep) if self._removed(self.root / digest, untouched_s)}

    def _removed(self, entry: Path, untouched_s: float) -> bool:
        # Another collector may be faster at any line.
        with suppress(FileNotFoundError):
            if _untouched(entry, untouched_s):
                with _lock(entry) as locked:
                    return locked and self._set_aside(entry, untouched_s)
        return False

    def _set_aside(self, entry: Path, untouched_s: float) -> bool:
        aside = entry.rename(self._new_name())
        if _untouched(aside, untouched_s):
            shutil.rmtree(aside, ignore_errors=True)
            return True
        # Somebody touched it after the first look, and counts on it.
        with suppress(OSError):
            aside.rename(entry)
        return False

    def _keep(self, entry: Path, digest: str) -> None:
        if self._touch(digest):
            return
        os.utime(entry)
        try:
            entry.rename(self.root / digest)
        except OSError:
            if not self._touch(digest):
                raise
        _fsync(self.root)

    def _touch(self, digest: str) -> bool:
        try:
            os.utime(self.root / digest)
        except FileNotFoundError:
            return False
        return True

    def _new_name(self) -> Path:
        return self.root / f"{UNFINISHED}{secrets.token_hex(8)}"

    @contextmanager
    def _unfinished(self) -> Iterator[Path]:
        entry = self._new_name()
        entry.mkdir(parents=True)
        try:
            with _lock(entry):
                yield entry
        finally:
            shutil.rmtree(entry, ignore_errors=True)

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise self._unusable(error) from None

    def _unusable(self, error: OSError) -> DeployerError:
        if passes(error):
            what = f"The model store {self.root} cannot be written just now: {error.strerror}."
            return EngineUnavailable(what, hint=AGAIN)
        if error.errno in (ENOSPC, EDQUOT, EFBIG):
            hint = "Free some space on its disk, then try again."
        else:
            hint = "Make it writable for this user, or name another state directory."
        return StateDirectoryUnusable(f"The model store {self.root} cannot be written: {error.strerror}.", hint=hint)


def _flush(entry: Path) -> None:
    """So that a machine that loses power finds either no entry or a whole one."""
    for parent, _, names in os.walk(entry):
        for name in names:
            _fsync(Path(parent, name))
        _fsync(Path(parent))


def _fsync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _lock(folder: Path) -> Iterator[bool]:
    """Whether the folder's lock was free, and is ours now; the kernel frees it when its holder dies."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        yield locks.exclusive(descriptor, patience_s=0)
    finally:
        os.close(descriptor)


def _remove_if_abandoned(unfinished: Path, untouched_s: float = UNLOCKED_S) -> None:
    with suppress(FileNotFoundError):
        if _untouched(unfinished, max(untouched_s, UNLOCKED_S)):
            with _lock(unfinished) as locked:
                if locked:
                    shutil.rmtree(unfinished, ignore_errors=True)


def _is_abandoned(unfinished: Path, untouched_s: float) -> bool:
    with suppress(FileNotFoundError):
        if _untouched(unfinished, max(untouched_s, UNLOCKED_S)):
            with _lock(unfinished) as locked:
                return locked
    return False


def _untouched(entry: Path, seconds: float) -> bool:
    """False where it is gone: another collector may be faster at any line."""
    try:
        return time.time() - entry.stat().st_mtime >= seconds
    except FileNotFoundError:
        return False
