"""Models in S3, or what speaks as it does."""

import re
from collections.abc import Mapping
from typing import Any

from deployer.sources.filesystems import Kind, ObjectsModel

MD5 = re.compile(r"[0-9a-f]{32}")
SUMMED_UP_TO = 64 << 20
"""Of larger objects, MD5 would take twice as long as SHA-256, which is taken anyway."""

TRIES = {"connect_timeout": 10, "read_timeout": 30, "retries": {"total_max_attempts": 2}}
CREDENTIALS = (
    "Credentials come from where AWS's own tools take them: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, AWS_PROFILE, "
    "or the machine's role; another server's address from AWS_ENDPOINT_URL."
)


def look(uri: str) -> ObjectsModel:
    """The model at `s3://bucket/key`."""
    return ObjectsModel(uri, KIND)


def _version(about: Mapping[str, Any]) -> str:
    return str(about.get("VersionId") or about.get("ETag") or "")


def _sums(about: Mapping[str, Any]) -> dict[str, str]:
    # Of an object that came in several parts, as large ones do, or is encrypted by a key of the user's, it is no MD5.
    tag = str(about.get("ETag", "")).strip('"')
    is_sum = MD5.fullmatch(tag) and not about.get("SSEKMSKeyId") and about["size"] <= SUMMED_UP_TO
    return {"md5": tag} if is_sum else {}


KIND = Kind(
    extra="s3",
    module="s3fs",
    opened_by="S3FileSystem",
    credentials=CREDENTIALS,
    options={"config_kwargs": TRIES},
    version=_version,
    sums=_sums,
)
