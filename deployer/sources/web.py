"""Models behind http and https: one archive, or one file."""

import contextlib
import os
import re
from collections.abc import Iterator
from email.message import Message
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from deployer.errors import DeployerError, InvalidConfig
from deployer.sources.answers import Asked
from deployer.sources.download import again_and_again, changed, download_stream
from deployer.sources.fetched import entry_of
from deployer.sources.remote import Brought, RemoteFile
from deployer.sources.watch import Watch

if TYPE_CHECKING:
    import httpx

AUTHORIZATION = "MODEL_DEPLOYER_HTTP_AUTHORIZATION"
CREDENTIALS = f"Credentials come from ~/.netrc, or as a whole Authorization header from {AUTHORIZATION}."
CONNECT_S, ANSWER_S = 10.0, 30.0
SHA256 = re.compile(r"sha256=([0-9a-fA-F]{64})")
NO_HEAD = {403, 405, 501}


def look(uri: str) -> "WebModel":
    """The model at an http or https URI.

    Raises:
        InvalidConfig: it names no host, or its fragment is no checksum.
    """
    address, _, fragment = uri.partition("#")
    _check_address(address)
    return WebModel(address, _sum_in(fragment))


class WebModel:
    """One file behind an address; an archive is unpacked.

    Args:
        sha256: what its bytes must have; empty: whatever they have.
    """

    def __init__(self, address: str, sha256: str) -> None:
        self._address = address
        self._asked = Asked(address, CREDENTIALS)
        self._client = client(_authorization(), _netrc())
        self._file = again_and_again()(self._look, sha256)

    @property
    def version(self) -> str:
        return self._file.sums.get("sha256") or self._file.version

    def bring(self, work: Path, watch: Watch) -> Brought:
        lines = download_stream(self._file, self._stream, work / "fetched", watch)
        return entry_of(work, lines, single=True, watch=watch)

    def _look(self, sha256: str) -> RemoteFile:
        with self._asked.translated():
            response = self._client.head(self._address)
            if response.status_code in NO_HEAD:
                with self._client.stream("GET", self._address) as response:
                    pass
        if not response.is_success:
            raise self._asked.error(response.status_code)
        return RemoteFile(
            place=_name(self._address, response),
            key=self._address,
            size=_size_in(response),
            version=version_in(response),
            sums={"sha256": sha256} if sha256 else {},
        )

    def _stream(self, file: RemoteFile, start: int) -> tuple[int, Iterator[bytes]]:
        headers = {"Range": f"bytes={start}-", "If-Range": file.version} if start else {}
        with self._asked.translated():
            response = self._client.send(self._client.build_request("GET", file.key, headers=headers), stream=True)
        if error := self._refused(response, file):
            response.close()
            raise error
        return (start if response.status_code == 206 else 0), self._chunks(response)

    def _refused(self, response: "httpx.Response", file: RemoteFile) -> DeployerError | None:
        if response.status_code in (412, 416):
            return changed(file.key)
        if not response.is_success:
            return self._asked.error(response.status_code)
        other_version = file.version and version_in(response) != file.version
        sizes = {_size_in(response), file.size} - {None}  # Not each answer says it.
        other_size = response.status_code == 200 and len(sizes) > 1
        return changed(file.key) if other_version or other_size else None

    def _chunks(self, response: "httpx.Response") -> Iterator[bytes]:
        with self._asked.translated(), contextlib.closing(response):
            yield from response.iter_raw()


def client(headers: dict[str, str], auth: "httpx.Auth | None" = None) -> "httpx.Client":
    """One that follows redirects, and takes its credentials to no other host."""
    import httpx

    own = {"Accept-Encoding": "identity", "User-Agent": "prefect-model-deployer"}
    timeout = httpx.Timeout(ANSWER_S, connect=CONNECT_S)
    return httpx.Client(headers=own | headers, auth=auth, timeout=timeout, follow_redirects=True)


def _authorization() -> dict[str, str]:
    return {"Authorization": value} if (value := os.environ.get(AUTHORIZATION)) else {}


def _netrc() -> "httpx.NetRCAuth | None":
    import httpx

    file = Path(os.environ.get("NETRC") or "~/.netrc").expanduser()
    return httpx.NetRCAuth(str(file)) if file.is_file() and AUTHORIZATION not in os.environ else None


def _size_in(response: "httpx.Response") -> int | None:
    size = response.headers.get("Content-Length", "")
    return int(size) if size.isdigit() and not response.headers.get("Content-Encoding") else None


def version_in(response: "httpx.Response") -> str:
    """The strong ETag of an answer, or the one before the redirects that led there; empty where there is none."""
    tag: str = response.headers.get("ETag", "")
    return "" if tag.startswith("W/") else tag


def _check_address(address: str) -> None:
    try:
        parts = urlsplit(address)
        named = bool(parts.hostname and parts.hostname.encode("idna")) and parts.port != 0
    except ValueError:
        named = False
    if not named:
        raise InvalidConfig(
            "The model URI names no host, or a port that there is not.", hint="Write https://host/path/model.tar.gz."
        )


def _sum_in(fragment: str) -> str:
    if not fragment:
        return ""
    if not (match := SHA256.fullmatch(fragment)):
        raise InvalidConfig(
            "What follows # in the model URI is no checksum.", hint="Write #sha256= and 64 hex digits, or leave it out."
        )
    return match[1].lower()


def _name(address: str, response: "httpx.Response") -> str:
    """What the answer calls the file, else the last part of the address."""
    message = Message()
    message["Content-Disposition"] = response.headers.get("Content-Disposition", "")
    name = PurePosixPath(message.get_filename("") or unquote(urlsplit(address).path)).name
    return name if name not in ("", ".", "..") and "\0" not in name else "model"
