"""From a model server's name to names that every platform takes."""

import hashlib
import re
import unicodedata
from collections.abc import Container
from functools import lru_cache

PLAIN = re.compile(r"[a-z]([a-z0-9-]{0,38}[a-z0-9])?")
RESERVED = re.compile(r".*-([0-9a-f]{8}|r[0-9]+)")
SLUG_LENGTH = 40


@lru_cache(maxsize=16 * 1024)
def platform_name(name: str) -> str:
    """The name as DNS labels, paths and container names take it.

    A plain name stays as it is. Any other becomes a slug and eight hex digits of its SHA-256, so
    distinct names stay distinct; a plain name may not end like a slug or like a workload.
    """
    name = unicodedata.normalize("NFC", name)
    if PLAIN.fullmatch(name) and not RESERVED.fullmatch(name):
        return name
    ascii_name = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    slug = re.sub(r"[^a-z0-9]+", "-", ascii_name).lstrip("-0123456789")[:SLUG_LENGTH].strip("-") or "model"
    return f"{slug}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"


def workload_name(server: str, revision: int) -> str:
    """The platform name of one revision of the server with that platform name."""
    return f"{server}-r{revision}"


def server_of(workload: str) -> str:
    """The platform name of the server that a workload's platform name speaks of; empty where it is none."""
    found = re.fullmatch(r"(.+)-r[0-9]+", workload)
    return found[1] if found else ""


def next_free(wanted: str, taken: Container[str]) -> str:
    """The first of `churn`, `churn-2`, `churn-3`… that is not taken."""
    name, number = wanted, 1
    while name in taken:
        number += 1
        name = f"{wanted}-{number}"
    return name
