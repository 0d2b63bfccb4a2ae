"""Small packages of the tests' own, so that no test needs an index."""

import base64
import hashlib
import io
import tarfile
import zipfile
from pathlib import Path

SLOW_BACKEND = """
import os, pathlib, time
pathlib.Path({mark!r}).write_text(str(os.getpid()))
time.sleep(600)
"""


def wheel(folder: Path, name: str, version: str, requires: tuple[str, ...] = ()) -> Path:
    """A module of that name with its VERSION, and a program of that name which prints it."""
    info, code = f"{name}-{version}.dist-info", f"VERSION = {version!r}\n\n\ndef main():\n    print(VERSION)\n"
    files = {
        f"{name}.py": code,
        f"{info}/METADATA": metadata(name, version, requires),
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": f"[console_scripts]\n{name} = {name}:main\n",
    }
    record = "".join(f"{place},sha256={_digest(text)},{len(text)}\n" for place, text in files.items())
    folder.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path := folder / f"{name}-{version}-py3-none-any.whl", "w") as archive:
        for place, text in (files | {f"{info}/RECORD": f"{record}{info}/RECORD,,\n"}).items():
            archive.writestr(zipfile.ZipInfo(place), text)  # the same bytes each time
    return path


def metadata(name: str, version: str, requires: tuple[str, ...] = ()) -> str:
    needed = "".join(f"Requires-Dist: {line}\n" for line in requires)
    return f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{needed}"


def slow(folder: Path, mark: Path) -> Path:
    """A source distribution whose build writes its pid to the mark, and then takes ten minutes."""
    build = '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
    files = {
        "pyproject.toml": build,
        "backend.py": SLOW_BACKEND.format(mark=str(mark)),
        "PKG-INFO": metadata("slow", "1.0"),
    }
    folder.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path := folder / "slow-1.0.tar.gz", "w:gz") as archive:
        for name, text in files.items():
            member = tarfile.TarInfo(f"slow-1.0/{name}")
            member.size = len(text)
            archive.addfile(member, io.BytesIO(text.encode()))
    return path


def _digest(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
