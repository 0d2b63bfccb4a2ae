"""Names of images, as `registry/repository:tag`."""

from deployer.errors import InvalidConfig

HUB = "docker.io"


def split(reference: str) -> tuple[str, str]:
    """Repository and tag, `latest` where it names none; a digest stays with its repository."""
    if "@" in reference:
        return reference, ""
    repository, colon, tag = reference.rpartition(":")
    return (repository, tag) if colon and "/" not in tag else (reference, "latest")


def registry_of(reference: str) -> str:
    """The host, and the port where it has one, as the engine understands the name.

    Raises:
        InvalidConfig: it is no name of an image.
    """
    from docker.auth import resolve_repository_name
    from docker.errors import DockerException

    try:
        return str(resolve_repository_name(reference)[0])
    except DockerException as error:
        raise InvalidConfig(f"{reference!r} is no name of an image: {error}") from None
