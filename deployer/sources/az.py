"""Models in Azure's blob storage."""

from collections.abc import Mapping
from typing import Any

from deployer.sources.filesystems import Kind, ObjectsModel

CREDENTIALS = (
    "Credentials come from AZURE_STORAGE_CONNECTION_STRING, or from AZURE_STORAGE_ACCOUNT_NAME with "
    "AZURE_STORAGE_ACCOUNT_KEY, AZURE_STORAGE_SAS_TOKEN or a service principal."
)


def look(uri: str) -> ObjectsModel:
    """The model at `az://container/blob`."""
    return ObjectsModel(uri, KIND)


def _version(about: Mapping[str, Any]) -> str:
    return str(about.get("etag") or "")


def _sums(about: Mapping[str, Any]) -> dict[str, str]:
    md5 = (about.get("content_settings") or {}).get("content_md5")
    return {"md5": bytes(md5).hex()} if md5 else {}


KIND = Kind(
    extra="az", module="adlfs", opened_by="AzureBlobFileSystem", credentials=CREDENTIALS, options={},
    version=_version, sums=_sums,
)  # fmt: skip
