"""Every rule that is broken on purpose."""

from tests.mutations.rules import closing, deployers, engine, gateway, identity, reconcile

MUTATIONS = tuple(
    mutation for rules in (closing, identity, deployers, reconcile, engine, gateway) for mutation in rules.MUTATIONS
)
