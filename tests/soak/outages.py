"""Servers and the gateway die while deployers are at work: requests fail then, and reconcile brings all of it back."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from random import Random

from deployer.server import ModelServer
from deployer.testing.process import ProcessHarness
from deployer.testing.victims import Victim, elsewhere
from tests.soak.attempt import Attempt, random_blow
from tests.soak.errands import Errands
from tests.soak.figures import Figures
from tests.soak.ground import hammered, settle_until_all_serve
from tests.soak.storm import RESTLESS, STEADY

DEPLOYERS = 2


class Outages:
    """One after the other; deployers are at work in each, and some of them are killed or frozen too."""

    def __init__(self, harness: ProcessHarness, chance: Random, figures: Figures) -> None:
        self._harness = harness
        self._chance = chance
        self._figures = figures
        self._errands = Errands(harness, chance, STEADY, RESTLESS)

    def happen(self, times: int) -> None:
        """So often; each time all is brought back before the next."""
        servers = [elsewhere(self._harness, self._errands.replace(name).act) for name in STEADY]
        for _ in range(times):
            with hammered(self._harness, servers) as hammers:
                self._one(servers)
            self._figures.outages += 1
            self._figures.requests += sum(hammer.sent for hammer in hammers)
            self._figures.excused += sum(len(hammer.failed) for hammer in hammers)
            print(f"  {self._figures.progress}", flush=True)

    def _one(self, servers: Sequence[ModelServer]) -> None:
        # What was never dead is brought back at once.
        dead = elsewhere(self._harness, self._errands.replace(self._chance.choice(STEADY)).act)
        with self._outage(dead):
            attempts = self._attempts()
        for attempt in attempts:
            self._figures.untruths += attempt.untruths(excused=True)
            self._figures.told[attempt.told] += 1
        self._figures.violations += settle_until_all_serve(self._harness, servers)
        self._figures.survivors += self._harness.leftovers()

    @contextmanager
    def _outage(self, server: ModelServer) -> Iterator[None]:
        if self._chance.random() < 0.5:
            self._harness.kill(server)
            yield
        else:
            with self._harness.gateway_down():
                yield

    def _attempts(self) -> list[Attempt]:
        with ExitStack() as stack:
            attempts = [self._begun(stack) for _ in range(DEPLOYERS)]
            for attempt in attempts:
                while attempt.goes_on():
                    pass
        return attempts

    def _begun(self, stack: ExitStack) -> Attempt:
        errand = self._errands.next()
        blow = random_blow(self._chance, freeze=self._chance.random() < 0.5)
        return Attempt(errand, stack.enter_context(Victim(self._harness, errand.act)), blow)
