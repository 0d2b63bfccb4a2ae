"""With which login a registry is asked."""

from collections.abc import Callable
from dataclasses import dataclass

from deployer.errors import SecretUnresolved
from deployer.flavors.docker.connection import Connection
from deployer.flavors.docker.references import registry_of

HEADER = "X-Registry-Auth"


@dataclass(frozen=True)
class Logins:
    """Ours for one registry, else those that `docker login` wrote down for this user.

    Attributes:
        registry: the host that ours is for; no other gets to see it.
        login: gives `user:password`; None: we have none.
    """

    connection: Connection
    registry: str = ""
    login: Callable[[], str] | None = None

    def headers(self, reference: str) -> dict[str, str]:
        """What a call that names that image is sent with.

        Raises:
            SecretUnresolved: the login's reference leads nowhere, or to no login.
        """
        from docker.auth import encode_header, get_config_header

        host = registry_of(reference)
        if self.login and host == self.registry:
            user, colon, password = self.login().partition(":")
            if not (user and colon):
                raise SecretUnresolved(
                    f"What is to be the login for {host} is none.", hint="Store it as user:password."
                )
            return {HEADER: encode_header({"username": user, "password": password, "serveraddress": host}).decode()}
        theirs = get_config_header(self.connection.api, host)
        return {HEADER: theirs.decode()} if theirs else {}
