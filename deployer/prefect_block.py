"""Prefect's Blocks, under a deadline: its own patience with a server that takes calls and stays silent is minutes."""

import os
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import Any

from deployer.errors import DeployerError, PrefectUnavailable, UnknownName

ANSWERS_WITHIN_S = 10.0
RETRIES = 1
OWN_PREFECT_SERVER = {
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "120",
}
"""For the server that Prefect starts by itself where none is configured: it phones nobody, and may be slow."""


def block_type(flavor: str) -> str:
    """The slug of a flavor's Block type."""
    return f"{flavor}-model-deployer"


def load_block(slug: str) -> Any:
    """The Block of that name, `type/name`; no error shows what is in it.

    Raises:
        UnknownName: there is no such Block.
        PrefectUnavailable: the Prefect server does not answer in time.
        DeployerError: it refuses.
    """
    import httpx
    from prefect.exceptions import PrefectHTTPStatusError

    # `from None`: what failed underneath could carry a secret of the Block's.
    try:
        return _loaded(slug)
    except ValueError:
        raise UnknownName(
            f"There is no Prefect Block named {slug!r}.",
            hint="`prefect block ls` shows those that there are, where PREFECT_API_URL names the server that has it; a "
            "Block is named type/name.",
        ) from None
    except PrefectHTTPStatusError as error:
        if (status := error.response.status_code) >= 500:
            raise _silent(slug, f"HTTP {status}") from None
        raise DeployerError(
            f"The Block {slug} cannot be loaded: the Prefect server refuses: HTTP {status}.",
            hint="See that PREFECT_API_KEY or PREFECT_API_AUTH_STRING is set for it, and that you may do this there.",
        ) from None
    except (httpx.HTTPError, RuntimeError, TimeoutError) as error:
        raise _silent(slug, type(error).__name__) from None


def _loaded(slug: str) -> Any:
    for variable, value in OWN_PREFECT_SERVER.items():
        os.environ.setdefault(variable, value)
    import asyncio

    from prefect.blocks.core import Block
    from prefect.client.orchestration import get_client
    from prefect.settings import PREFECT_CLIENT_MAX_RETRIES, temporary_settings

    async def load() -> Any:
        async with asyncio.timeout(ANSWERS_WITHIN_S), client:
            return await Block.aload(slug, client=client)

    # In a thread of its own: whoever calls may have a loop that runs.
    with temporary_settings({PREFECT_CLIENT_MAX_RETRIES: RETRIES}), ThreadPoolExecutor(1) as thread:
        client = get_client(httpx_settings={"timeout": ANSWERS_WITHIN_S}, sync_client=False)
        return thread.submit(copy_context().run, asyncio.run, load()).result()


def _silent(slug: str, why: str) -> PrefectUnavailable:
    return PrefectUnavailable(
        f"The Block {slug} cannot be loaded: the Prefect server does not answer ({why}).",
        serving="What serves goes on serving; it needs no Prefect server.",
        hint="Start it (`prefect server start`), or set PREFECT_API_URL to where it is.",
    )
