"""Who may call: how a token is told to Traefik without being told.

It is asked for as the password of HTTP Basic authentication, of which Traefik is given the SHA-1 alone: the admin
API and the route files hold no token, and a check costs the same each time, about a tenth of a millisecond
(bcrypt would cost 140 ms). A token of random characters is not to be found from its SHA-1.
"""

import base64
import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any

from deployer.errors import InvalidConfig
from deployer.gateway import TOKEN_USER

FILE_NAME = "_access.yml"
"""Beside the routes; no server's platform name begins with an underscore."""
MIDDLEWARE = "_access"
SHORTEST = 16
PRINTABLE = re.compile(r"[!-~]+")
LET_IN: dict[str, object] = {"chain": {"middlewares": []}}
"""Every route names the middleware, so that a token reaches all of them at once; without one it does nothing."""


def entry_of(token: str) -> str:
    """What Traefik is told of a token.

    Raises:
        InvalidConfig: it is too short, or holds what no header can.
    """
    if len(token) < SHORTEST or not PRINTABLE.fullmatch(token):
        raise InvalidConfig(
            f"The token that callers must show will not do: it needs at least {SHORTEST} printable ASCII characters.",
            hint="Make one: python -c 'import secrets; print(secrets.token_urlsafe(32))'",
        )
    digest = hashlib.sha1(token.encode(), usedforsecurity=False).digest()
    return f"{TOKEN_USER}:{{SHA}}{base64.b64encode(digest).decode()}"


def check(entry: str) -> dict[str, object]:
    """The middleware that lets pass who shows the token with that entry, and everybody where it is empty."""
    if not entry:
        return LET_IN
    return {"basicAuth": {"users": [entry], "realm": "model servers", "removeHeader": True}}


def rendered(entry: str) -> str:
    """The file by which all routes ask for the token with that entry."""
    return json.dumps({"http": {"middlewares": {MIDDLEWARE: check(entry)}}}, indent=1) + "\n"


def entry_in(text: str) -> str:
    """The entry of the token that such a file asks for; empty where it asks for none."""
    try:
        return asked_by(json.loads(text)["http"]["middlewares"][MIDDLEWARE])
    except (ValueError, KeyError, TypeError):
        return ""


def asked_by(middleware: Mapping[str, Any]) -> str:
    """The entry of the token that a middleware asks for; empty where it asks for none."""
    try:
        return str(middleware["basicAuth"]["users"][0])
    except (KeyError, TypeError, IndexError):
        return ""
