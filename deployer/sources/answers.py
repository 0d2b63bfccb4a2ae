"""What a source's answer means: one kind of error for each, whatever library brought it.

No text of a library's is passed on: it may hold a signed address or a token.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from deployer.errors import AccessDenied, DeployerError, InvalidConfig, InvalidModel, ModelNotFound, SourceUnavailable

NOTHING_CHANGED = "Nothing was deployed; what serves now serves on."
NOT_FOUND, DENIED, NOT_NOW = {404, 410}, {401, 402, 403, 407}, {408, 425, 429}
WITHOUT_CREDENTIALS = (
    "NoCredentials", "PartialCredentials", "DefaultCredentials", "ClientAuthentication", "Refresh", "TokenRetrieval",
    "UnauthorizedSSOToken", "ProfileNotFound", "CredentialUnavailable", "LocalTokenNotFound", "InvalidRegion",
)  # fmt: skip
UNREACHED = ("Timeout", "Connect", "Endpoint", "ServiceRequest", "ServiceResponse", "IncompleteRead", "RemoteProtocol",
             "ReadError", "WriteError", "ProxyError", "Payload", "ResponseStreaming", "ClientOSError",
             "ServerDisconnected", "HTTPClient", "Transport", "IncompleteBody", "FlexibleChecksum",
             "ChunkedEncoding")  # fmt: skip
ILL_WRITTEN = ("InvalidURL", "UnsupportedProtocol", "LocationParse", "ParamValidation", "HFValidation")


@dataclass(frozen=True)
class Asked:
    """What was asked for, for errors.

    Attributes:
        credentials: how whoever asks is told who it is, for people.
    """

    uri: str
    credentials: str

    def error(self, status: int) -> DeployerError:
        """What an HTTP status means that is no success."""
        if status in NOT_FOUND:
            return self.not_found()
        if status in DENIED:
            return self.denied(f"it was answered with {status}")
        if status in NOT_NOW or status >= 500:
            return self.unavailable(f"it answers {status}")
        return InvalidModel(
            f"{self.uri} cannot be fetched: it was answered with {status}.",
            serving=NOTHING_CHANGED,
            hint="Correct the model URI.",
        )

    def not_found(self, why: str = "") -> ModelNotFound:
        return ModelNotFound(
            f"There is no model at {self.uri}{why}.", serving=NOTHING_CHANGED, hint="Correct the model URI."
        )

    def ill_written(self) -> InvalidConfig:
        return InvalidConfig(
            f"The model URI {self.uri} names what there cannot be: its source takes no such names.",
            hint="Correct it; a path on this machine that looks like a URI begins with ./.",
        )

    def denied(self, why: str) -> AccessDenied:
        return AccessDenied(
            f"{self.uri} may not be read: {why}.",
            serving=NOTHING_CHANGED,
            hint=f"{self.credentials} Set them where the deployer runs, or name them in the config's `credentials`.",
        )

    def unavailable(self, why: str) -> SourceUnavailable:
        return SourceUnavailable(
            f"{self.uri} cannot be reached: {why}.",
            serving=NOTHING_CHANGED,
            hint="Try again; if it stays so, see whether its host is the right one and can be reached from here.",
        )

    @contextmanager
    def translated(self) -> Iterator[None]:
        """Whatever a library raises becomes one of our errors, where it is known to come from the source."""
        try:
            yield
        except DeployerError:
            raise
        except Exception as error:
            raise self._meaning(error) from None

    def _meaning(self, error: Exception) -> Exception:
        chain = list(_causes(error))
        for one in chain:
            if (status := _status(one)) is not None:
                return self.error(status)
        names = [kind.__name__ for one in chain for kind in type(one).__mro__]
        if refused := self._refused(names):
            return refused
        if any(isinstance(one, PermissionError) for one in chain):
            return self.denied("its credentials do not suffice")
        if any(isinstance(one, FileNotFoundError) for one in chain):
            return self.not_found()
        if any(isinstance(one, ConnectionError | TimeoutError) for one in chain) or _any(names, UNREACHED):
            return self.unavailable(type(error).__name__)
        return error

    def _refused(self, names: list[str]) -> DeployerError | None:
        """What a library said of it before it asked anybody."""
        if _any(names, ILL_WRITTEN):
            return self.ill_written()
        return self.denied("there are no credentials for it") if _any(names, WITHOUT_CREDENTIALS) else None


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    seen = set[int]()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__


def _status(error: BaseException) -> int | None:
    """The HTTP status that an exception carries, wherever its library keeps it."""
    answer: Any = getattr(error, "response", None)
    if isinstance(answer, dict):
        answer = answer.get("ResponseMetadata", {}).get("HTTPStatusCode")
        return answer if isinstance(answer, int) and answer >= 400 else None
    for holder in (error, answer):
        for name in ("status_code", "status", "code"):
            value = getattr(holder, name, None)
            if isinstance(value, int) and 400 <= value < 600:
                return value
    return None


def _any(names: list[str], marks: tuple[str, ...]) -> bool:
    return any(mark in name for name in names for mark in marks)
