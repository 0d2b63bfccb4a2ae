"""Where MLflow keeps artifacts, read file by file."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from deployer.sources.remote import RemoteFile, checked_place, is_left_out


def is_local(artifacts: str) -> bool:
    """Whether artifacts stand on this machine."""
    return artifacts.startswith(("/", "file:"))


class Artifacts:
    """The artifacts below a URI, in whatever store it names.

    Args:
        of: whose they are, for errors.

    Raises:
        ImportError: MLflow lacks a package to read there.
    """

    def __init__(self, uri: str, of: str) -> None:
        from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

        self._of = of
        self._repository: Any = get_artifact_repository(uri)
        self._causes = dict[str, Exception]()
        self._note_causes()

    def files(self, below: str | None = None) -> Iterator[RemoteFile]:
        """All files, those in folders too."""
        listed = self._repository.list_artifacts(below)
        yield from self._files_among(listed)
        for found in listed:
            if found.is_dir and not is_left_out(found.path):
                yield from self.files(found.path)

    def files_at_the_top(self) -> list[RemoteFile]:
        return list(self._files_among(self._repository.list_artifacts(None)))

    def download(self, file: RemoteFile, into: Path) -> None:
        """Write a file to its place in a folder.

        Raises:
            Exception: whatever the store's library raised.
        """
        try:
            self._repository.download_artifacts(file.key, dst_path=str(into))
        except Exception as error:
            raise self._causes.pop(file.key, error) from None

    def _files_among(self, listed: list[Any]) -> Iterator[RemoteFile]:
        for found in listed:
            if not found.is_dir:
                yield RemoteFile(checked_place(found.path, self._of), found.path, found.file_size)

    def _note_causes(self) -> None:
        """Why a file could not be had: `download_artifacts` makes one error of them all, in which only text is left."""
        download = self._repository._download_file

        def noted(remote_file_path: str, local_path: str) -> Any:
            try:
                return download(remote_file_path, local_path)
            except Exception as error:
                self._causes[remote_file_path] = error
                raise

        self._repository._download_file = noted
