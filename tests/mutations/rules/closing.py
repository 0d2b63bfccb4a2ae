"""The idea: what is closed stays closed, and close comes before stop."""

from tests.mutations.mutation import Mutation, memory

MUTATIONS = (
    Mutation(
        rule="Nothing at or below `high` enters the route again.",
        file="deployer/gateways/swap.py",
        old="    if closed:",
        new="    if False:",
        seen_by=memory("34_a_gateway_lets"),
    ),
    Mutation(
        rule="`high` only ever rises.",
        file="deployer/gateways/swap.py",
        old="high=max(high, present.high, *(b.revision for b in split))",
        new="high=max(high, *(b.revision for b in split))",
        seen_by=memory("34_a_gateway_lets"),
    ),
    Mutation(
        rule="What a route names, it names at or below `high`.",
        file="deployer/gateways/swap.py",
        old="high=max(high, present.high, *(b.revision for b in split))",
        new="high=max(high, present.high)",
        seen_by=("tests/gateways/test_memory.py::test_high_covers_the_split",),
    ),
    Mutation(
        rule="A refused revision may never take traffic again.",
        file="deployer/rollout/view.py",
        old="if observed.refused or not self.owns(observed):",
        new="if not self.owns(observed):",
        seen_by=("tests/rollout/test_lost_route.py", "tests/rollout/test_plan_enumerated.py"),
    ),
    Mutation(
        rule="The number of a closed revision is burnt.",
        file="deployer/rollout/view.py",
        old="return bool(self.route.split) or not any(o.revision < observed.revision for o in self.open)",
        new="return False",
        seen_by=memory("34_a_reconcile_that_wakes"),
    ),
    Mutation(
        rule="The cause of a refusal is kept.",
        file="deployer/rollout/execute.py",
        old="self._engine.mark(observed.ref, Wanted.REFUSED, cause)",
        new='self._engine.mark(observed.ref, Wanted.REFUSED, "")',
        seen_by=memory("16_a_bad_revision"),
    ),
    Mutation(
        rule="A closed revision is marked.",
        file="deployer/rollout/execute.py",
        old="self._engine.mark(observed.ref, Wanted.REFUSED, cause)",
        new="pass",
        seen_by=memory("16_a_bad_revision"),
    ),
    Mutation(
        rule="Only closed revisions, or ones marked stopped, are ever stopped.",
        file="deployer/rollout/plan.py",
        old="for o in view.closed:",
        new="for o in view.workloads:",
        seen_by=("tests/rollout/test_plan.py",),
    ),
    Mutation(
        rule="A closed revision that runs is stopped.",
        file="deployer/rollout/plan.py",
        old="if o.runs:",
        new="if False:",
        seen_by=("tests/rollout/test_plan.py",),
    ),
    Mutation(
        rule="Closed revisions that do not run are removed.",
        file="deployer/rollout/plan.py",
        old="elif o.revision != kept:",
        new="elif False:",
        seen_by=memory("03"),
    ),
    Mutation(
        rule="A close that broke off is finished by whoever comes next.",
        file="deployer/rollout/plan.py",
        old="if burnt and not o.refused and o.revision > _highest_serving(view):",
        new="if False:",
        seen_by=memory(25),
    ),
)
