"""Where the packages of an image come from: as the deployer's own environment tells pip, and uv."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

NAMED_INDEX = re.compile(r"^[A-Za-z0-9_.-]+=(?=[a-z]+:)")
VARIABLES = {
    "index-url": ("PIP_INDEX_URL", "UV_DEFAULT_INDEX", "UV_INDEX_URL"),
    "extra-index-url": ("PIP_EXTRA_INDEX_URL", "UV_INDEX", "UV_EXTRA_INDEX_URL"),
    "trusted-host": ("PIP_TRUSTED_HOST", "UV_INSECURE_HOST"),
    "find-links": ("PIP_FIND_LINKS", "UV_FIND_LINKS"),
    "no-index": ("PIP_NO_INDEX",),
    "proxy": ("PIP_PROXY",),
    "timeout": ("PIP_DEFAULT_TIMEOUT", "PIP_TIMEOUT", "UV_HTTP_TIMEOUT"),
    "retries": ("PIP_RETRIES",),
}
CERTIFICATES = ("PIP_CERT", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE")
PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")
QUIETLY = {
    "disable-pip-version-check": "true",
    "no-cache-dir": "true",
    "no-input": "true",
    "progress-bar": "off",
    "root-user-action": "ignore",
}


def pip_files(environment: Mapping[str, str], folder: str) -> dict[str, bytes]:
    """A pip.conf, and the certificates that it names, by name.

    Args:
        folder: where they will lie.
    """
    settings = QUIETLY | dict(_settings(environment))
    files = {}
    if certificates := next(filter(None, (_file(environment.get(name)) for name in CERTIFICATES)), None):
        files["certificates.pem"] = certificates
        settings["cert"] = f"{folder}/certificates.pem"
    lines = ["[global]", *(f"{name} = {value}" for name, value in settings.items())]
    return {**files, "pip.conf": "".join(f"{line}\n" for line in lines).encode()}


def proxies(environment: Mapping[str, str]) -> dict[str, str]:
    """Build arguments that every engine knows and keeps out of an image's history."""
    both = {name: environment.get(name) or environment.get(name.lower()) for name in PROXIES}
    return {name: value for upper, value in both.items() if value for name in (upper, upper.lower())}


def _settings(environment: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for setting, names in VARIABLES.items():
        if value := next(filter(None, map(environment.get, names)), None):
            words = [NAMED_INDEX.sub("", word) for word in re.split(r"[\s,]+", value) if word]
            # Folders of this machine are not there, where it is built.
            there = [word for word in words if setting != "find-links" or "://" in word]
            if there:
                yield setting, "\n    ".join(there)


def _file(name: str | None) -> bytes | None:
    path = Path(name) if name else None
    return path.read_bytes() if path and path.is_file() else None
