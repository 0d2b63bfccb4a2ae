"""What a hub of models says of one repository, over its own API; and its files, behind a redirect as there."""

import hashlib
import json
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from tests.sources.servers.web import Handler, Web

COMMIT = "0123456789abcdef0123456789abcdef01234567"
REPOSITORY = "owner/churn"


@dataclass
class Hub(Web):
    """One repository, with one commit that `main` and `v1` name.

    Attributes:
        large: the names of files that are kept as large ones, and so have a SHA-256.
    """

    large: set[str] = field(default_factory=set)
    commit: str = COMMIT

    @property
    def handler(self) -> type[Handler]:
        return HubHandler

    def about(self) -> dict[str, object]:
        siblings = [self._sibling(name.removeprefix("/"), content) for name, content in self.files.items()]
        return {"id": REPOSITORY, "modelId": REPOSITORY, "sha": self.commit, "siblings": siblings, "private": False}

    def _sibling(self, name: str, content: bytes) -> dict[str, object]:
        blob = hashlib.sha1(f"blob {len(content)}\0".encode() + content).hexdigest()
        about: dict[str, object] = {"rfilename": name, "size": len(content), "blobId": blob}
        if name in self.large:
            about["lfs"] = {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content), "pointerSize": 1}
        return about


class HubHandler(Handler):
    """`/api/models/…` and `/…/resolve/…`."""

    web: Hub

    def content(self) -> bytes | None:
        path = unquote(urlsplit(self.path).path)
        inside = f"/{REPOSITORY}/resolve/{self.web.commit}"
        return self.web.files.get(path.removeprefix(inside)) if path.startswith(inside) else None

    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        if not path.startswith("/api/"):
            super().do_GET()
            return
        self.web.asked.append(("API", self.path, dict(self.headers.items())))
        if self.web.token and self.headers.get("Authorization") != f"Bearer {self.web.token}":
            self.say(401, {"X-Error-Code": "RepoNotFound", "Content-Length": "0"})
        elif path in (f"/api/models/{REPOSITORY}", *(f"/api/models/{REPOSITORY}/revision/{r}" for r in ("main", "v1"))):
            self._say_json(self.web.about())
        else:
            self.say(404, {"X-Error-Code": "RevisionNotFound", "Content-Length": "0"})

    def _say_json(self, content: object) -> None:
        body = json.dumps(content).encode()
        self.say(200, {"Content-Type": "application/json", "Content-Length": str(len(body))})
        self.wfile.write(body)
