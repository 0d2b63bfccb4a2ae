"""Models of an MLflow tracking server: `models:/name/version`, `models:/name@alias`, `models:/m-<id>`, `runs:/…`."""

import re
import shutil
from collections.abc import Iterator
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deployer.errors import DeployerError, InvalidConfig, Unsupported
from deployer.leftovers import size_of
from deployer.sources import paths
from deployer.sources.answers import Asked
from deployer.sources.artifacts import Artifacts, is_local
from deployer.sources.download import again_and_again, changed
from deployer.sources.fetched import entry_of
from deployer.sources.filesystems import missing
from deployer.sources.remote import Brought, RemoteFile
from deployer.sources.watch import Watch

OF_MODEL = re.compile(r"models:/+(?:(?P<id>m-[^/@]+)|(?P<name>[^/@]+)(?:/(?P<version>[^/@]+)|@(?P<alias>[^/@]+)))/?")
OF_RUN = re.compile(r"runs:/+[^/]+/.+")
HINT = "Write models:/name/version, models:/name@alias, models:/name/latest, models:/m-<id> or runs:/<run id>/path."
CREDENTIALS = (
    "The tracking server comes from MLFLOW_TRACKING_URI; credentials for it from MLFLOW_TRACKING_USERNAME and "
    "MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN; those for where it keeps artifacts from that store's own."
)
AT_ONCE = 4
MEASURED_EVERY_S = 0.5
STATUSES = {
    "RESOURCE_DOES_NOT_EXIST": 404, "NOT_FOUND": 404, "ENDPOINT_NOT_FOUND": 404, "PERMISSION_DENIED": 403,
    "UNAUTHENTICATED": 401, "CUSTOMER_UNAUTHORIZED": 401, "TEMPORARILY_UNAVAILABLE": 503, "REQUEST_LIMIT_EXCEEDED": 429,
    "INTERNAL_ERROR": 500,
}  # fmt: skip


@dataclass(frozen=True)
class Located:
    """Where the artifacts of a model stand, and what tells it from any other; empty where nothing does."""

    artifacts: str
    version: str


def look(uri: str) -> "TrackedModel":
    """The model at a `models:` or `runs:` URI, at the version that it names now.

    Raises:
        InvalidConfig: it is none.
        Unsupported: MLflow is not installed.
    """
    if not (OF_MODEL.fullmatch(uri) or OF_RUN.fullmatch(uri)):
        raise InvalidConfig(f"{uri!r} names no model of MLflow's.", hint=HINT)
    return TrackedModel(uri)


class TrackedModel:
    """A model's artifacts, wherever the tracking server has put them."""

    def __init__(self, uri: str) -> None:
        try:
            from mlflow import MlflowClient
        except ImportError:
            raise missing("mlflow", "mlflow") from None
        self._asked = Asked(uri, CREDENTIALS)
        self._client: Any = MlflowClient()
        self._located = again_and_again()(self._locate)

    @property
    def version(self) -> str:
        return self._located.version

    def bring(self, work: Path, watch: Watch) -> Brought:
        artifacts = self._located.artifacts
        if is_local(artifacts):
            shutil.rmtree(work / "fetched", ignore_errors=True)  # Of a copy that was broken off nothing is of use.
            fetch = paths.fetch_file_uri if artifacts.startswith("file:") else paths.fetch_path
            single = fetch(artifacts, work / "fetched", watch) != work / "fetched"
        else:
            with self._translated():
                single = self._download(artifacts, work / "fetched", watch)
        if again_and_again()(self._locate) != self._located:
            raise changed(self._asked.uri)
        return entry_of(work, [], single=single, watch=watch)

    def _locate(self) -> Located:
        with self._translated():
            if match := OF_MODEL.fullmatch(self._asked.uri):
                return self._logged(match["id"]) if match["id"] else self._registered(match)
            return self._of_run(*self._asked.uri.removeprefix("runs:").strip("/").split("/", 1))

    def _logged(self, model_id: str) -> Located:
        model = self._client.get_logged_model(model_id)
        return Located(str(model.artifact_location), f"{model_id} {model.artifact_location} {model.creation_timestamp}")

    def _of_run(self, run_id: str, path: str) -> Located:
        """What the run logged as a model of that name, else its artifacts there, which may change."""
        run = self._client.get_run(run_id).info
        name, _, below = path.partition("/")
        if model := self._logged_by(run, name):
            located = self._logged(model.model_id)
            return Located(f"{located.artifacts}/{below}".rstrip("/"), f"{located.version} {below}")
        return Located(f"{run.artifact_uri}/{path}", "")

    def _logged_by(self, run: Any, name: str) -> Any:
        page, quoted = None, name.replace("'", "''")
        while page is None or page.token:
            page = self._client.search_logged_models(
                experiment_ids=[run.experiment_id],
                filter_string=f"name = '{quoted}'",
                page_token=page.token if page else None,
            )
            for model in page:
                if model.source_run_id == run.run_id:
                    return model
        return None

    def _registered(self, match: re.Match[str]) -> Located:
        name = match["name"]
        if match["alias"]:
            found = self._client.get_model_version_by_alias(name, match["alias"])
        elif match["version"].lower() == "latest":
            found = self._newest(name)
        elif match["version"].isdigit():
            found = self._client.get_model_version(name, match["version"])
        else:
            raise InvalidConfig(f"{self._asked.uri!r} names a stage; MLflow has given them up.", hint=HINT)
        artifacts = str(self._client.get_model_version_download_uri(name, found.version))
        if artifacts.startswith("models:/m-"):
            artifacts = self._logged(artifacts.removeprefix("models:/")).artifacts
        return Located(artifacts, f"{name} {found.version} {found.creation_timestamp} {artifacts}")

    def _newest(self, name: str) -> Any:
        quoted = name.replace("'", "''")
        versions = self._client.search_model_versions(f"name='{quoted}'", max_results=1000)
        if not versions:
            raise self._asked.not_found()
        return max(versions, key=lambda version: int(version.version))

    def _download(self, artifacts: str, into: Path, watch: Watch) -> bool:
        """File by file; those that an earlier attempt has brought whole stay. Whether it is a single file."""
        into.mkdir(parents=True, exist_ok=True)
        store = Artifacts(artifacts, self._asked.uri)
        files = list(watch.alive(store.files()))
        if single := not files:
            folder, _, name = artifacts.rpartition("/")
            store = Artifacts(folder, self._asked.uri)
            files = [file for file in store.files_at_the_top() if file.place == name]
        if not files:
            raise self._asked.not_found()
        lacking = [file for file in files if not _has(into / file.place, file.size)]
        watch.expect(sum(file.size or 0 for file in files), into, size_of(into))
        with ThreadPoolExecutor(AT_ONCE) as pool:
            waiting = {pool.submit(again_and_again(), self._download_file, store, file, into) for file in lacking}
            try:
                while waiting:
                    done, waiting = wait(waiting, MEASURED_EVERY_S, FIRST_EXCEPTION)
                    watch.at(size_of(into))
                    for future in done:
                        future.result()
            finally:
                for future in waiting:
                    future.cancel()
        return single

    def _download_file(self, store: Artifacts, file: RemoteFile, into: Path) -> None:
        with self._translated():
            store.download(file, into)
        if not _has(into / file.place, file.size):
            raise changed(file.place)

    @contextmanager
    def _translated(self) -> Iterator[None]:
        with self._asked.translated():
            try:
                yield
            except ImportError as error:
                raise Unsupported(
                    f"The artifacts of {self._asked.uri} are kept where MLflow needs the package {error.name} to read.",
                    hint=f"Install it: pip install {error.name}",
                ) from None
            except Exception as error:
                raise self._meaning(error) from error

    def _meaning(self, error: Exception) -> Exception:
        """MLflow has one exception for all, with a code; without one that helps, the server was not reached."""
        from mlflow.exceptions import MlflowException

        if isinstance(error, DeployerError) or not isinstance(error, MlflowException):
            return error
        if "@" in self._asked.uri and error.error_code in ("INVALID_PARAMETER_VALUE", "RESOURCE_DOES_NOT_EXIST"):
            return self._asked.not_found(": no such model, or no such alias of it")
        if "API request to" in error.message and "failed with exception" in error.message:
            return self._asked.unavailable("its tracking server does not answer")
        if error.error_code == "INVALID_PARAMETER_VALUE":
            return self._asked.not_found()
        return self._asked.error(STATUSES.get(error.error_code, 500))


def _has(file: Path, size: int | None) -> bool:
    return file.is_file() and size in (None, size_of(file))
