"""Why the engine did not do what it was asked for, as errors of ours; nothing of the SDK's comes past here."""

import contextlib
from collections.abc import Iterator
from http import HTTPStatus
from typing import TYPE_CHECKING

from deployer.errors import DeployerError, EngineError, EngineUnavailable

if TYPE_CHECKING:
    from docker.errors import APIError

NO_ENGINE = "Start it (`systemctl start docker`, or Docker Desktop), or name another one: the setting docker_host."
NO_PERMISSION = "Add yourself to the group docker and log in again, or run as a user who may use the socket."
NO_TRUST = "Name the folder that holds ca.pem, cert.pem and key.pem for this engine: the setting tls_folder."
WANTS_TLS = "HTTP request to an HTTPS server"
NO_SPACE = "Free some space where the engine keeps its data (`docker system df`), then try again."
SEE_ITS_LOG = "See the engine's own log (`journalctl -u docker`), then try again."
AGAIN = "It may be restarting: try again."
TOO_OLD = "Update the engine: version 20.10 (API 1.41) or later is needed."
PASSING = ("context deadline exceeded", "i/o timeout", "EOF")
HINTS = {
    "no space left on device": NO_SPACE,
    "is too new": TOO_OLD,
    "is too old": TOO_OLD,
    WANTS_TLS: NO_TRUST,
}
"""By what the engine says; its statuses tell these from nothing."""


class Gone(Exception):
    """What was asked for is not there, or no longer."""


class NameTaken(Exception):
    """The name that was asked for is somebody's."""


@contextlib.contextmanager
def refusals(failure: str) -> Iterator[None]:
    """The engine's refusals, and its silence.

    Args:
        failure: what could not be done, in words.

    Raises:
        Gone, NameTaken: as the engine says; whoever asked knows what that means.
        EngineUnavailable: it does not answer, or cannot just now.
        EngineError: it says no.
    """
    from docker.errors import APIError, DockerException
    from requests.exceptions import RequestException
    from urllib3.exceptions import HTTPError

    try:
        yield
    except APIError as error:
        raise _refused(failure, error) from None
    except (RequestException, HTTPError, OSError, DockerException) as error:
        raise _unreachable(failure, error) from None


def gone_is_fine() -> "contextlib.suppress":
    """For what shall not be there in the end."""
    return contextlib.suppress(Gone)


def _refused(failure: str, error: "APIError") -> Exception:
    said = str(error.explanation or error).strip()
    if error.status_code == HTTPStatus.NOT_FOUND:
        return Gone(said)
    if error.status_code == HTTPStatus.CONFLICT and "is already in use by container" in said:
        return NameTaken(said)
    if error.status_code == HTTPStatus.SERVICE_UNAVAILABLE or any(passing in said for passing in PASSING):
        return EngineUnavailable(f"{failure}: {said}", hint=AGAIN)
    hint = next((hint for words, hint in HINTS.items() if words in said), SEE_ITS_LOG)
    if hint == NO_SPACE:
        said = f"No space left: {said}"
    return EngineError(f"{failure}: {said}", hint=hint)


def _unreachable(failure: str, error: BaseException) -> DeployerError:
    said = _innermost(error)
    if "Permission denied" in said:
        return EngineError(f"{failure}: the engine's socket may not be used: {said}", hint=NO_PERMISSION)
    if "CERTIFICATE" in said or "SSL" in said or "TLS" in said or WANTS_TLS in said:
        return EngineError(
            f"{failure}: the engine is not trusted, or does not trust this deployer: {said}", hint=NO_TRUST
        )
    if "timed out" in said.lower():
        return EngineUnavailable(f"{failure}: the engine did not answer in time", hint=AGAIN)
    return EngineUnavailable(f"{failure}: no Docker engine answers: {said}", hint=NO_ENGINE)


def _innermost(error: BaseException) -> str:
    """What the system said, without the layers around it."""
    seen = {id(error)}
    while (inner := error.__cause__ or error.__context__ or _argument(error)) and id(inner) not in seen:
        seen.add(id(inner))
        error = inner
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error).partition("\n")[0] or type(error).__name__


def _argument(error: BaseException) -> BaseException | None:
    inner = getattr(error, "reason", None) or (error.args[-1] if error.args else None)
    return inner if isinstance(inner, BaseException) else None
