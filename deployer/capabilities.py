"""What a flavor is asked for that not every one can do; refused before anything is touched."""

from deployer import secrets
from deployer.config import ModelServerConfig
from deployer.engine import Engine, RemembersSilence
from deployer.errors import Unsupported
from deployer.gateway import ChecksTokens, Gateway


def require_one_replica(flavor: str, config: ModelServerConfig) -> None:
    """Refuse more of them.

    Raises:
        Unsupported: more are asked for.
    """
    if config.replicas > 1:
        raise Unsupported(
            f"The flavor {flavor} runs one replica of a model server, not {config.replicas}.",
            hint="Set replicas to 1, or use a flavor that has several machines.",
        )


def require_memory_of_silence(flavor: str, config: ModelServerConfig, engine: Engine) -> None:
    """Refuse `restart_hung_s` where nobody remembers since when a server is silent.

    Raises:
        Unsupported: it is asked for.
    """
    if config.probes and config.probes.restart_hung_s and not isinstance(engine, RemembersSilence):
        raise Unsupported(
            f"The flavor {flavor} does not restart servers that hang.",
            hint="Set probes.restart_hung_s to 0; a stop with force and a start do it by hand.",
        )


def limits_nothing(flavor: str) -> Unsupported:
    """Of resources asked of a flavor that gives none."""
    return Unsupported(
        f"The flavor {flavor} limits no resources.",
        hint="Leave `resources` out, or use a flavor that does: process.",
    )


def entry_of_token(flavor: str, config: ModelServerConfig, gateway: Gateway) -> str:
    """The gateway's entry of the config's own token, read now; empty where it has none.

    Raises:
        Unsupported: the gateway asks nobody for a token.
        SecretUnresolved: the token cannot be had.
        InvalidConfig: the token will not do.
    """
    if config.access is None:
        return ""
    if not isinstance(gateway, ChecksTokens):
        what = f"The flavor {flavor} cannot ask callers for a token."
        raise Unsupported(what, hint="Leave the section `access` out.")
    return gateway.entry_of(secrets.resolved("access", config.access.token))
