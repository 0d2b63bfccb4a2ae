"""Models on the Hugging Face hub: `hf://owner/name`, with `@revision` and a path below it where wanted."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from deployer.errors import InvalidConfig
from deployer.sources.answers import Asked
from deployer.sources.download import again_and_again, download_pieces
from deployer.sources.fetched import entry_of
from deployer.sources.filesystems import missing
from deployer.sources.remote import Brought, RemoteFile, checked_place, is_left_out
from deployer.sources.watch import Watch

HF_URI = re.compile(r"hf://([^/@]+/[^/@]+)(?:@([^/]+))?(?:/(.+?))?/?", re.IGNORECASE)
CREDENTIALS = "A token comes from HF_TOKEN, or from `hf auth login`; another hub's address from HF_ENDPOINT."
LOOKED_WITHIN_S = 20.0
NOT_SERVED = {".gitattributes"}


def look(uri: str) -> "HubModel":
    """The model at an `hf:` URI, at the commit that its revision names now.

    Raises:
        InvalidConfig: it does not name a repository.
        Unsupported: huggingface_hub is not installed.
    """
    if not (match := HF_URI.fullmatch(uri)):
        raise InvalidConfig(
            f"The model URI {uri!r} names no model on the hub.", hint="Write hf://owner/name, or hf://owner/name@v1."
        )
    return HubModel(uri, match[1], match[2] or "", match[3] or "")


class HubModel:
    """The files of one commit of a repository, or those below a path in it."""

    def __init__(self, uri: str, repository: str, revision: str, below: str) -> None:
        try:
            import huggingface_hub
        except ImportError:
            raise missing("hf", "huggingface_hub") from None
        from deployer.sources.web import client

        self._hub: Any = huggingface_hub
        self._asked = Asked(uri, CREDENTIALS)
        self._repository, self._below = repository, below
        self._info: Any = again_and_again()(self._look, revision)
        self._client = client(self._hub.utils.build_hf_headers())
        listed = [self._file(about) for about in self._info.siblings or () if self._is_wanted(about.rfilename)]
        if not listed:
            raise self._asked.not_found()
        self._files: list[RemoteFile] = sorted(listed, key=lambda file: file.place)

    @property
    def version(self) -> str:
        return str(self._info.sha)

    def bring(self, work: Path, watch: Watch) -> Brought:
        lines = download_pieces(self._files, self._read, work / "fetched", watch)
        single = [file.key for file in self._files] == [self._below]
        return entry_of(work, lines, single=single, watch=watch)

    def _look(self, revision: str) -> Any:
        with self._asked.translated():
            return self._hub.HfApi().model_info(
                self._repository, revision=revision or None, files_metadata=True, timeout=LOOKED_WITHIN_S
            )

    def _is_wanted(self, name: str) -> bool:
        inside = not self._below or name == self._below or name.startswith(f"{self._below}/")
        return inside and name not in NOT_SERVED and not is_left_out(name)

    def _file(self, about: Any) -> RemoteFile:
        name = about.rfilename
        place = name.rpartition("/")[2] if name == self._below else name.removeprefix(f"{self._below}/")
        sums = {"sha256": about.lfs.sha256} if about.lfs else {"git": about.blob_id} if about.blob_id else {}
        return RemoteFile(checked_place(place, self._asked.uri), name, about.size, self._info.sha, sums)

    def _read(self, file: RemoteFile, start: int, end: int) -> bytes:
        address = self._hub.hf_hub_url(self._repository, file.key, revision=self._info.sha)
        headers = {"Range": f"bytes={start}-{end - 1}"}
        with self._asked.translated(), self._client.stream("GET", address, headers=headers) as response:
            if not response.is_success:
                raise self._asked.error(response.status_code)
            skipped = 0 if response.status_code == 206 else start
            return _first(response.iter_raw(), skipped + end - start)[skipped:]


def _first(chunks: Iterator[bytes], count: int) -> bytes:
    """So many bytes of it, or fewer where there are no more."""
    content = bytearray()
    while len(content) < count and (chunk := next(chunks, b"")):
        content += chunk
    return bytes(content[:count])
