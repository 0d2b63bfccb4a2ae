"""Every rule that is broken on purpose."""

from tests.mutations.rules import (
    closing,
    deployers,
    engine,
    gateway,
    hanging,
    identity,
    lost,
    process,
    reconcile,
    resources,
)

RULES = (closing, identity, deployers, reconcile, engine, process, gateway, lost, hanging, resources)
MUTATIONS = tuple(mutation for rules in RULES for mutation in rules.MUTATIONS)
