"""From what was fetched to a model: an archive is unpacked, anything else is one as it is."""

import shutil
from pathlib import Path

from deployer.digest import digest_of, digest_of_lines
from deployer.sources.archives import is_archive, unpack
from deployer.sources.remote import FILE, FOLDER, Brought
from deployer.sources.watch import Watch


def entry_of(work: Path, lines: list[bytes], *, single: bool, watch: Watch) -> Brought:
    """The model in `work/fetched`, made ready in `work/entry` as the store keeps it.

    Args:
        lines: those of its files, for the digest; where there are none, what is here is hashed.
    """
    entry, fetched = work / "entry", work / "fetched"
    shutil.rmtree(entry, ignore_errors=True)
    entry.mkdir()
    file = next(fetched.iterdir()) if single else None
    if file and is_archive(file.name):
        unpack(file, entry / FOLDER, watch)
        return Brought(entry / FOLDER, digest_of(entry / FOLDER, watch.beat))
    for path in fetched.rglob("*"):
        if path.is_file():
            path.chmod(0o444)
    # Before it is moved: what is broken off while it hashes goes on with what is here.
    digest = _digest(lines, single) if lines else digest_of(file or fetched, watch.beat)
    target = fetched.rename(entry / (FILE if single else FOLDER))
    return Brought(target / file.name if file else target, digest)


def _digest(lines: list[bytes], single: bool) -> str:
    return digest_of_lines([b"./" + lines[0]] if single else lines)
