"""Secrets that can be told from everything else, and whether one of them stands in some bytes."""

import base64
import html
import json
import secrets
from collections.abc import Iterator
from urllib.parse import quote, quote_plus


def planted(name: str) -> str:
    """A secret whose name says where it was given, long enough for a token, with what encodings change."""
    return f"planted-{name}/{secrets.token_hex(8)}+&={secrets.token_hex(8)}"


def told_in(content: bytes, planted: dict[str, str]) -> list[str]:
    """Which of the secrets the bytes tell, and in which form."""
    return [f"{name} {form}" for name, secret in planted.items() for form, shape in forms(secret) if shape in content]


def forms(secret: str) -> Iterator[tuple[str, bytes]]:
    """What a secret may look like."""
    yield "in clear", secret.encode()
    yield "in JSON", json.dumps(secret)[1:-1].encode()
    # As Go writes it, and so Traefik.
    yield "in JSON for HTML", json.dumps(secret)[1:-1].replace("&", "\\u0026").encode()
    yield "in HTML", html.escape(secret).encode()
    yield "in a URL", quote(secret, safe="").encode()
    yield "in a path", quote(secret).encode()
    yield "in a form", quote_plus(secret).encode()
    yield "in hex", secret.encode().hex().encode()
    for offset in range(3):
        yield "in base 64", _in_base_64(secret.encode(), offset)
        yield "in base 64 of URLs", _in_base_64(secret.encode(), offset).translate(bytes.maketrans(b"+/", b"-_"))


def _in_base_64(secret: bytes, offset: int) -> bytes:
    """The characters that are the same whatever stands before and after it, so many bytes off a group's begin."""
    encoded = base64.b64encode(bytes(offset) + secret)
    return encoded[-(-offset * 4 // 3) : (offset + len(secret)) * 8 // 6]
