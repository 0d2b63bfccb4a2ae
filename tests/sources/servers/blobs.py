"""Azure's blob storage, as far as whoever reads from it asks: one container, by its REST API."""

import base64
import hashlib
from dataclasses import dataclass
from email.utils import formatdate
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

from tests.sources.servers.web import Handler, Web

ACCOUNT, CONTAINER = "account", "models"
KEY = base64.b64encode(b"a-secret-of-azure").decode()


@dataclass
class Blobs(Web):
    """Blobs by `/name`; requests must be signed by somebody.

    Attributes:
        refuses: whether no signature is good enough.
    """

    refuses: bool = False

    @property
    def handler(self) -> type[Handler]:
        return BlobHandler

    @property
    def connection_string(self) -> str:
        endpoint = f"BlobEndpoint={self.address}/{ACCOUNT}"
        return f"DefaultEndpointsProtocol=http;AccountName={ACCOUNT};AccountKey={KEY};{endpoint};"


class BlobHandler(Handler):
    """`/account/container/blob`, and the list of a container's blobs."""

    web: Blobs

    def content(self) -> bytes | None:
        place = unquote(urlsplit(self.path).path).removeprefix(f"/{ACCOUNT}/{CONTAINER}")
        return self.web.files.get(place)

    def _answer(self, with_body: bool) -> None:
        asked = urlsplit(self.path)
        query = parse_qs(asked.query)
        if self.web.refuses or not self.headers.get("Authorization", "").startswith(f"SharedKey {ACCOUNT}:"):
            self.say(403, {"x-ms-error-code": "AuthenticationFailed", "Content-Length": "0"})
        elif query.get("comp") == ["list"] and asked.path == f"/{ACCOUNT}/{CONTAINER}":
            self._list(query.get("prefix", [""])[0])
        elif self.content() is None:
            what = "BlobNotFound" if asked.path.startswith(f"/{ACCOUNT}/{CONTAINER}") else "ContainerNotFound"
            self.say(404, {"x-ms-error-code": what, "Content-Length": "0"})
        else:
            self.web.headers |= {"x-ms-blob-type": "BlockBlob", "Last-Modified": formatdate(0, usegmt=True)}
            if "x-ms-range" in self.headers:
                self.headers.add_header("Range", self.headers["x-ms-range"])
            super()._answer(with_body)

    def _list(self, prefix: str) -> None:
        blobs = "".join(self._blob(name[1:], content) for name, content in self.web.files.items())
        wanted = "".join(part for part in blobs.split("\n") if f"<Name>{escape(prefix)}" in part)
        whole = (
            f'<EnumerationResults ContainerName="{CONTAINER}"><Blobs>{wanted}</Blobs><NextMarker/></EnumerationResults>'
        )
        content = f'<?xml version="1.0" encoding="utf-8"?>{whole}'.encode()
        self.say(200, {"Content-Type": "application/xml", "Content-Length": str(len(content))})
        self.wfile.write(content)

    def _blob(self, name: str, content: bytes) -> str:
        md5, tag = base64.b64encode(hashlib.md5(content).digest()).decode(), hashlib.sha256(content).hexdigest()[:16]
        about = f"<Etag>&quot;{tag}&quot;</Etag><Content-Length>{len(content)}</Content-Length>"
        kind = f"<Content-MD5>{md5}</Content-MD5><BlobType>BlockBlob</BlobType>"
        return f"<Blob><Name>{escape(name)}</Name><Properties>{about}{kind}</Properties></Blob>\n"
