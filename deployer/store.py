"""The bytes of models, by digest."""

from collections.abc import Callable, Set
from contextlib import suppress
from pathlib import Path

from deployer.digest import digest_of
from deployer.errors import ModelGone
from deployer.shelf import UNTOUCHED_S, flush, fsync
from deployer.shelved import Shelved
from deployer.sources.fetch import fetch, is_remote
from deployer.sources.fetching import Terms, fetching
from deployer.sources.partial import Partials
from deployer.sources.remembered import Remembered
from deployer.sources.remote import FILE, FOLDER
from deployer.sources.watch import Watch


class Store(Shelved):
    """Keeps each model once, under the digest of its bytes; any number of deployers may share it.

    An entry is `<root>/<digest>/folder/…` for a model that is a folder, `<root>/<digest>/file/<its name>`
    for one that is a single file. What is being copied lies in `<root>/.tmp-…`, what is being fetched in
    `<root>/.partial-…`, each locked by whoever is at it; `<root>/.known` says which version of a URI has which digest.
    """

    def __init__(self, root: Path) -> None:
        super().__init__(root, "The model store")
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
        with self._shelf.making() as (entry, _):
            watch = Watch(terms.on_bytes, terms.until)
            model = fetch(uri, entry / FOLDER, watch)
            if model != entry / FOLDER:
                (entry / FOLDER).rename(entry / FILE)
                model = entry / FILE / model.name
            digest = digest_of(model, watch.beat)
            flush(entry)
            self._keep(entry, digest)
            return digest

    def _fetched(self, uri: str, terms: Terms) -> str:
        with fetching(uri, terms) as remote:
            version = remote.version()
            known = self._remembered.digest(uri, version)
            if self.has(known) and self._shelf.touch(known):
                return known
            with self._partials.work(uri, version) as work:
                digest = remote.bring(work).digest
                flush(work / "entry")
                self._keep(work / "entry", digest)
        self._remembered.note(uri, version, digest)
        return digest

    def restore(self, digest: str, copy: Callable[[str, Path], bool]) -> bool:
        """Take a model from a copy that is kept elsewhere; False where there is none, or it is another one.

        Args:
            copy: puts it into an empty folder, as an entry of this store has it.
        """
        with self._writing(), self._shelf.making() as (entry, _):
            if not copy(digest, entry):
                return False
            model = next((entry / FILE).iterdir()) if (entry / FILE).is_dir() else entry / FOLDER
            if digest_of(model) != digest:
                return False
            flush(entry)
            self._keep(entry, digest)
            return True

    def has(self, digest: str) -> bool:
        """Whether a model's bytes are here."""
        return self._shelf.has(digest)

    def path(self, digest: str) -> Path:
        """The model's folder, or the model's file where it is a single file; asking for it counts as a touch.

        Raises:
            ModelGone: its bytes are not here.
        """
        with suppress(OSError):
            self._shelf.touch(digest)
        if not self.has(digest):
            raise ModelGone(
                f"The bytes of the model {digest[:12]} are no longer in {self.root}.",
                hint="Deploy the model again from where it is.",
            )
        entry = self.root / digest
        return next((entry / FILE).iterdir(), entry) if (entry / FILE).is_dir() else entry / FOLDER

    def broken_off(self, untouched_s: float) -> list[Path]:
        """Where copies and half-fetched models lie that nobody makes any more."""
        return [*super().broken_off(untouched_s), *self._partials.broken_off(untouched_s)]

    def collect(self, keep: Set[str], untouched_s: float = UNTOUCHED_S) -> set[str]:
        """As for all that is shelved; and what was half fetched, and what is remembered of models that are gone."""
        with self._writing():
            self._partials.collect()
            self._remembered.forget(self.has)
        return super().collect(keep, untouched_s)

    def _keep(self, entry: Path, digest: str) -> None:
        if not self._shelf.touch(digest):
            self._shelf.put(entry, digest)
            fsync(self.root)
