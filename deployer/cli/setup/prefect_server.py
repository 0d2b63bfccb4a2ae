"""The Prefect server that this machine is set to talk to."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from deployer.errors import DeployerError, PrefectUnavailable

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient

LOCAL_API = "http://127.0.0.1:4200/api"
ANSWERS_WITHIN_S = 10.0
HOW_TO_GET_ONE = (
    "Start one in another terminal with `prefect server start`, then set it for this user: "
    f"`prefect config set PREFECT_API_URL={LOCAL_API}`. For Prefect Cloud: `prefect cloud login`."
)


def api_url() -> str:
    """That of the environment, of a prefect.toml or of the active profile; empty where none is set."""
    from prefect.settings import get_current_settings

    return get_current_settings().api.url or ""


def shown_url() -> str:
    """The same as it may be shown: without a password in it."""
    from urllib.parse import urlsplit

    parts = urlsplit(api_url())
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


def require_server() -> None:
    """Return where a server is set and answers.

    Raises:
        PrefectUnavailable: it is not set, or does not; says how to start one.
        DeployerError: it refuses.
    """
    if not api_url():
        raise PrefectUnavailable("No Prefect server is set for this machine.", hint=_started() or HOW_TO_GET_ONE)
    with prefect_client(retries=0) as client:
        if error := client.api_healthcheck():
            raise error


@contextmanager
def prefect_client(within_s: float = ANSWERS_WITHIN_S, retries: int = 5) -> "Iterator[SyncPrefectClient]":
    """A client of the server; what goes wrong with it becomes an error of ours.

    Args:
        within_s: for each try of each request.
        retries: with five, a server that takes calls and stays silent takes minutes.

    Raises:
        PrefectUnavailable: it does not answer.
        DeployerError: it refuses.
    """
    import httpx
    from prefect.client.orchestration import get_client
    from prefect.exceptions import PrefectHTTPStatusError
    from prefect.settings import PREFECT_CLIENT_MAX_RETRIES, temporary_settings

    try:
        with (
            temporary_settings({PREFECT_CLIENT_MAX_RETRIES: retries}),
            get_client(httpx_settings={"timeout": within_s}, sync_client=True) as client,
        ):
            yield client
    except PrefectHTTPStatusError as error:
        if error.response.status_code >= 500:
            raise _silent(error) from error
        raise DeployerError(
            f"The Prefect server at {shown_url()} refuses: {_reason(error)}.",
            hint="See that PREFECT_API_KEY or PREFECT_API_AUTH_STRING is set for it, and that you may do this there.",
        ) from error
    except (httpx.HTTPError, RuntimeError) as error:
        raise _silent(error) from error


def environment() -> dict[str, str]:
    """For a program of Prefect's that shall talk to the same server, and to nobody else."""
    return {"DO_NOT_TRACK": "true", **os.environ, "PREFECT_API_URL": api_url(), "PREFECT_CLI_COLORS": "false"}


def _reason(error: BaseException) -> str:
    response = getattr(error, "response", None)
    return f"HTTP {response.status_code}" if response is not None else type(error).__name__


def _silent(error: BaseException) -> PrefectUnavailable:
    return PrefectUnavailable(
        f"The Prefect server at {shown_url()} does not answer ({_reason(error)}).",
        serving="What serves goes on serving; it needs no Prefect server.",
        hint=f"See that it runs, and that PREFECT_API_URL is right. {HOW_TO_GET_ONE}",
    )


def _started() -> str:
    """What to do where a server runs on this machine, and only nobody told Prefect of it."""
    from deployer import http

    try:
        if http.request("GET", f"{LOCAL_API}/health", timeout_s=1).ok:
            return (
                f"One answers on this machine: `prefect config set PREFECT_API_URL={LOCAL_API}`, then the same again."
            )
    except http.NoAnswer:
        pass
    return ""
