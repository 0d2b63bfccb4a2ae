"""Models in Google Cloud Storage."""

import base64
from collections.abc import Mapping
from typing import Any

from deployer.sources.filesystems import Kind, ObjectsModel

CREDENTIALS = (
    "Credentials come from where Google's own tools take them: GOOGLE_APPLICATION_CREDENTIALS, "
    "`gcloud auth application-default login`, or the machine's service account."
)


def look(uri: str) -> ObjectsModel:
    """The model at `gs://bucket/key`."""
    return ObjectsModel(uri, KIND)


def _version(about: Mapping[str, Any]) -> str:
    return str(about.get("generation") or about.get("etag") or "")


def _sums(about: Mapping[str, Any]) -> dict[str, str]:
    return {"md5": base64.b64decode(about["md5Hash"]).hex()} if about.get("md5Hash") else {}


KIND = Kind(
    extra="gs", module="gcsfs.core", opened_by="GCSFileSystem", credentials=CREDENTIALS, options={},
    version=_version, sums=_sums,
)  # fmt: skip
