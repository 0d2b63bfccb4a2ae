"""A server of artifacts, as MLflow speaks to one of another's: listed by path, read one by one."""

import json
from urllib.parse import parse_qs, urlsplit

from tests.sources.servers.web import Handler, Web

ROOT = "/api/2.0/mlflow-artifacts/artifacts"


class Artifacts(Web):
    """Artifacts by `/path`; `faults` befall those who read one, not those who list them."""

    @property
    def handler(self) -> type[Handler]:
        return ArtifactsHandler

    @property
    def location(self) -> str:
        """What an experiment has to be told to keep its artifacts here."""
        return f"{self.address}{ROOT}"


class ArtifactsHandler(Handler):
    """`/…/artifacts?path=folder` and `/…/artifacts/folder/file`."""

    web: Artifacts

    def content(self) -> bytes | None:
        return self.web.files.get(urlsplit(self.path).path.removeprefix(ROOT))

    def do_GET(self) -> None:
        asked = urlsplit(self.path)
        if asked.path != ROOT:
            super().do_GET()
            return
        folder = f"/{parse_qs(asked.query)['path'][0].strip('/')}/"
        inside = {name.removeprefix(folder): content for name, content in self.web.files.items() if folder in name}
        files = [{"path": name, "is_dir": False, "file_size": len(content)} for name, content in inside.items()]
        body = json.dumps({"files": files}).encode()
        self.say(200, {"Content-Type": "application/json", "Content-Length": str(len(body))})
        self.wfile.write(body)
