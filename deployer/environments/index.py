"""What uv knows of the deployer's environment: where packages come from, and how they are built."""

import os
from collections.abc import Iterator, Mapping

PASSED = frozenset(
    {"PATH", "HOME", "USER", "LOGNAME", "LANG", "LANGUAGE", "TMPDIR", "NETRC", "SSH_AUTH_SOCK", "CUDA_HOME"}
    | {"SSL_CERT_FILE", "SSL_CERT_DIR", "SSL_CLIENT_CERT", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH"}
    | {"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "all_proxy", "no_proxy"}
    | {"CC", "CXX", "CFLAGS", "CXXFLAGS", "CPPFLAGS", "LDFLAGS", "CPATH", "LIBRARY_PATH", "PKG_CONFIG_PATH"}
    | {"CARGO_HOME", "RUSTUP_HOME", "SDKROOT", "MACOSX_DEPLOYMENT_TARGET"}
)
PASSED_PREFIXES = ("LC_", "XDG_", "UV_", "GIT_SSH", "GIT_SSL", "GIT_CONFIG", "GIT_ASKPASS")
ASTRAY = frozenset(
    {"UV_PYTHON", "UV_SYSTEM_PYTHON", "UV_BREAK_SYSTEM_PACKAGES", "UV_VENV_SEED", "UV_WORKING_DIRECTORY"}
) | {"UV_WORKING_DIR", "UV_PROJECT", "UV_PROJECT_ENVIRONMENT", "UV_ENV_FILE", "UV_REQUIREMENTS"}
"""What would lead it to another place than the one it is told."""
OURS = {"UV_PYTHON_DOWNLOADS": "never", "UV_NO_PROGRESS": "1", "NO_COLOR": "1"}
TRANSLATED = {
    "PIP_INDEX_URL": "UV_DEFAULT_INDEX",
    "PIP_EXTRA_INDEX_URL": "UV_INDEX",
    "PIP_FIND_LINKS": "UV_FIND_LINKS",
    "PIP_TRUSTED_HOST": "UV_INSECURE_HOST",
    "PIP_DEFAULT_TIMEOUT": "UV_HTTP_TIMEOUT",
    "PIP_CERT": "SSL_CERT_FILE",
    "PIP_PROXY": "ALL_PROXY",
}
OLDER = {"UV_DEFAULT_INDEX": "UV_INDEX_URL", "UV_INDEX": "UV_EXTRA_INDEX_URL"}


def variables(environment: Mapping[str, str]) -> dict[str, str]:
    """uv's whole environment, pip's variables in its own words where those are not set; no secret of other things."""
    passed = {name: value for name, value in environment.items() if _is_passed(name)}
    return {**dict(_translated(environment)), **passed, **OURS}


def no_index(environment: Mapping[str, str]) -> bool:
    """Whether pip is told to ask no index, which uv has no variable for."""
    return environment.get("PIP_NO_INDEX", "").lower() in ("1", "true", "yes", "on", "y", "t")


def _is_passed(name: str) -> bool:
    return (name in PASSED or name.startswith(PASSED_PREFIXES)) and name not in ASTRAY


def _translated(environment: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for name, theirs in TRANSLATED.items():
        if (value := environment.get(name)) and OLDER.get(theirs, theirs) not in environment:
            yield theirs, _links(value) if theirs == "UV_FIND_LINKS" else value


def _links(value: str) -> str:
    """Separated by commas; without folders that are not there, which pip passes over."""
    return ",".join(link for link in value.split() if "://" in link or os.path.exists(link))
