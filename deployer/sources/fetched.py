"""From what was fetched to a model: an archive is unpacked, anything else is one as it is."""

import shutil
from pathlib import Path

from deployer.digest import digest_of, digest_of_lines
from deployer.sources.archives import is_archive, unpack
from deployer.sources.remote import Brought
from deployer.sources.watch import Watch

FOLDER, FILE = "folder", "file"


def entry_of(work: Path, lines: list[bytes], *, single: bool, watch: Watch) -> Brought:
    """The model in `work/fetched`, made ready in `work/entry` as the store keeps it.

    Args:
        lines: those of its files, for the digest; where there are none, what is here is hashed.
    """
    entry, fetched = work / "entry", work / "fetched"
    shutil.rmtree(entry, ignore_errors=True)
    entry.mkdir()
    if single:
        (file,) = fetched.iterdir()
        if is_archive(file.name):
            unpack(file, entry / FOLDER, watch)
            return Brought(entry / FOLDER, digest_of(entry / FOLDER))
    for path in fetched.rglob("*"):
        if path.is_file():
            path.chmod(0o444)
    target = fetched.rename(entry / (FILE if single else FOLDER))
    model = target / file.name if single else target
    if not lines:
        return Brought(model, digest_of(model))
    return Brought(model, digest_of_lines([b"./" + lines[0]] if single else lines))
