"""What a model URI may not hold: credentials would be stored with it, and told to whoever may see the config."""

import re
from urllib.parse import unquote_plus

from deployer.errors import InvalidConfig

OF_URI = re.compile(r"([^/\\:?#]+):(//|\\\\|(?![/\\]))([^/\\?#]*)")
WITH_AT = {"hf", "models", "runs"}
"""The schemes in which a revision or an alias stands after an @."""

SECRET_NAME = re.compile(r".*(signature|token|password|passwd|secret|apikey|accesskey|secretkey|authorization)")
SECRET_NAMES = {"sig", "auth", "jwt", "pwd", "sas", "credential", "credentials"}
HINT = (
    "Leave them out, and name them by reference in the config's `credentials`; for http and https that is a whole "
    "Authorization header in MODEL_DEPLOYER_HTTP_AUTHORIZATION. A path that looks like a URI begins with ./."
)


def require_no_credentials(uri: str) -> None:
    """Refuse a model URI that holds a password, a token or a signature, by its text alone.

    Raises:
        InvalidConfig: it does; the URI is not shown.
    """
    match = OF_URI.match(uri)
    if match and (_holds_user(match[1].lower(), match[3]) or any(map(_is_secret, _parameters(uri)))):
        raise InvalidConfig("The model URI holds credentials; they would be stored with it.", hint=HINT)


def _holds_user(scheme: str, authority: str) -> bool:
    user, at, _ = authority.rpartition("@")
    return bool(at) and (scheme not in WITH_AT or ":" in user)


def _parameters(uri: str) -> list[str]:
    """The names of those that have a value, wherever in it they stand."""
    pairs = (part.partition("=") for part in re.split("[?#&;]", uri)[1:])
    return [re.sub(r"[^a-z0-9]", "", unquote_plus(name).lower()) for name, _, value in pairs if value]


def _is_secret(name: str) -> bool:
    return name in SECRET_NAMES or bool(SECRET_NAME.fullmatch(name))
