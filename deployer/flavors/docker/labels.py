"""What our containers, volumes and networks are labelled with, and how a container's name says what it shall be."""

import re

from deployer.engine import Wanted
from deployer.records.names import workload_name

PREFIX = "model-deployer."
RECORD = f"{PREFIX}record"
"""The record as JSON; whatever carries it claims to be a workload of ours."""
LAUNCH = f"{PREFIX}launch"
SERVER, REVISION, TOKEN = f"{PREFIX}server", f"{PREFIX}revision", f"{PREFIX}token"
NAME, UUID, MODEL_NAME = f"{PREFIX}name", f"{PREFIX}uuid", f"{PREFIX}model-name"
"""To filter `docker ps` by; the record has the truth."""
HELPER = f"{PREFIX}helper"
"""Containers that are never started and only open a volume."""
DIGEST, PLACE = f"{PREFIX}digest", f"{PREFIX}place"
"""Of a volume with a model: which, and its path below the volume's root."""
NOTE, KIND, VALUE = f"{PREFIX}note", f"{PREFIX}kind", f"{PREFIX}value"
"""Of an empty volume that tells something of the workload with that token."""
PORT = f"{PREFIX}port"
"""On which its server listens."""
GATEWAY = f"{PREFIX}gateway"
"""Of an empty volume that tells where the engine's gateway has its folder."""
NETWORK = f"{PREFIX}network"
BUILT = f"{PREFIX}built"
"""Of an image that was built here, and so of its containers: for which runtime."""
BUILDING = f"{PREFIX}building"
"""Of what a build needs on its way, images and containers: its token."""

_NAME = re.compile(r"(.+)-r([0-9]+)(?:-(stopped|refused))?")


def container_name(server: str, revision: int, wanted: Wanted) -> str:
    """The container's, which is its workload's, with its mark where that is not `running`.

    Of a container only the name can change and is listed; so it carries what the workload shall be.
    """
    name = workload_name(server, revision)
    return name if wanted is Wanted.RUNNING else f"{name}-{wanted}"


def wanted_by(name: str) -> tuple[str, Wanted]:
    """The workload's name and its mark, from the container's; any other name is taken for a workload's, unmarked."""
    found = _NAME.fullmatch(name)
    if found is None:
        return name, Wanted.RUNNING
    return f"{found[1]}-r{found[2]}", Wanted(found[3]) if found[3] else Wanted.RUNNING
