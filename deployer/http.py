"""One HTTP request, with one deadline and one kind of failure."""

import http.client
import socket
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from string import punctuation
from urllib.parse import quote, urlsplit

CHUNK = 64 * 1024


@dataclass(frozen=True)
class Answer:
    """What a server answered.

    Attributes:
        headers: by lower-case name; of a header given twice, the last.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300

    @property
    def first_line(self) -> str:
        """The first line of the body, at most 200 characters of it."""
        return self.body[:1000].decode(errors="replace").strip().partition("\n")[0][:200]


class NoAnswer(Exception):
    """No whole answer came. Low-level: callers turn it into an error that a user can act on.

    Attributes:
        reason: why, in words.
        timed_out: the server may still be at work on the request.
        untrusted: its certificate is not to be trusted, as far as is known here; nothing was sent.
    """

    def __init__(self, reason: str, *, timed_out: bool = False, untrusted: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.timed_out = timed_out
        self.untrusted = untrusted


def request(
    method: str,
    url: str,
    *,
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
    timeout_s: float,
) -> Answer:
    """Send one request on a connection of its own; follows no redirect and asks no proxy.

    A certificate must be the URL's host's, by an authority that the system knows or the file named in SSL_CERT_FILE.

    Args:
        url: an http or https URL.
        timeout_s: seconds for the whole of it; a server that drips its headers may take longer.

    Raises:
        NoAnswer: it could not be reached, broke off, or was not done in time.
    """
    deadline = time.monotonic() + timeout_s
    connection = _connection(url, timeout_s)
    try:
        connection.request(method, _target(url), body=body, headers=dict(headers or {}) | {"Connection": "close"})
        sock = connection.sock
        _limit(sock, deadline)
        with connection.getresponse() as response:
            content = _read(sock, response, deadline)
    except TimeoutError:
        raise NoAnswer(f"no answer from {url} within {timeout_s:g} s", timed_out=True) from None
    except ssl.SSLCertVerificationError as error:
        raise NoAnswer(f"the certificate of {url} is not trusted: {error.verify_message}", untrusted=True) from None
    except (OSError, http.client.HTTPException) as error:
        raise NoAnswer(f"no answer from {url}: {str(error) or type(error).__name__}") from None
    finally:
        connection.close()
    return Answer(response.status, {name.lower(): value for name, value in response.getheaders()}, content)


def _connection(url: str, timeout_s: float) -> http.client.HTTPConnection:
    parts = urlsplit(url)
    secure = parts.scheme == "https"
    kind = http.client.HTTPSConnection if secure else http.client.HTTPConnection
    return kind(parts.hostname or "", parts.port, timeout=timeout_s)


def _target(url: str) -> str:
    """Path and query; what may not stand in a URL, as blanks and all that is not ASCII, is encoded."""
    parts = urlsplit(url)
    return quote((parts.path or "/") + (f"?{parts.query}" if parts.query else ""), safe=punctuation)


def _read(sock: socket.socket, response: http.client.HTTPResponse, deadline: float) -> bytes:
    chunks = []
    while chunk := response.read1(CHUNK):
        chunks.append(chunk)
        _limit(sock, deadline)
    if response.length:
        raise http.client.IncompleteRead(b"".join(chunks), response.length)
    return b"".join(chunks)


def _limit(sock: socket.socket, deadline: float) -> None:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    if sock.fileno() >= 0:
        sock.settimeout(left)
