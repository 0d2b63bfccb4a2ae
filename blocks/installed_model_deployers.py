"""The Blocks of all flavors that other distributions bring without Blocks of their own.

Prefect imports this wherever it looks for Block types: in the command, in workers, on its server.
"""

import logging
from importlib.metadata import EntryPoint, entry_points

from blocks.derived_model_deployer import block_of
from deployer.references import flavors

COLLECTIONS = "prefect.collections"

logger = logging.getLogger(__name__)


def derive_all() -> None:
    """Derive them; a flavor that cannot be imported must not take the others with it, and `doctor` names it."""
    with_blocks = {_distribution(entry) for entry in entry_points(group=COLLECTIONS)}
    for name, entry in flavors().items():
        if _distribution(entry) not in with_blocks:
            try:
                block_of(entry.load())
            except Exception as error:
                logger.info("The flavor %s has no Block: %s: %s", name, type(error).__name__, error)


def _distribution(entry: EntryPoint) -> str:
    return entry.dist.name if entry.dist else ""


derive_all()
