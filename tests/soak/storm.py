"""Several deployers at once, each killed or frozen at a random moment, while requests come without pause."""

import time
from collections.abc import Sequence
from contextlib import ExitStack
from random import Random

from deployer.errors import RevisionRefused
from deployer.server import ModelServer
from deployer.testing.hammer import Hammer
from deployer.testing.process import ProcessHarness
from deployer.testing.victims import Victim, elsewhere
from tests.soak.attempt import Attempt, Blow, random_blow
from tests.soak.errands import Errands
from tests.soak.figures import Figures
from tests.soak.ground import hammered, settle, silent

STEADY, RESTLESS = ["steady-a", "steady-b", "steady-c"], ["restless-a", "restless-b"]
AT_ONCE = 4
BLOWS_A_ROUND = 20
LONGEST_ROUND_S = 150.0
UNHARMED_SHARE = 0.15
TICK_S = 0.005


class Storm:
    """Goes on in rounds of some blows; after each, when nobody is at work, what must hold is looked at."""

    def __init__(self, harness: ProcessHarness, chance: Random, figures: Figures, kills: int, freezes: int) -> None:
        self._harness = harness
        self._chance = chance
        self._figures = figures
        self._kills = kills
        self._freezes = freezes
        self._errands = Errands(harness, chance, STEADY, RESTLESS)

    def rage(self) -> None:
        """Until so many deployers were killed and so many frozen."""
        servers = [elsewhere(self._harness, self._errands.replace(name).act) for name in STEADY]
        while self._kills_left or self._freezes_left:
            with hammered(self._harness, servers) as hammers:
                attempts = self._round()
                self._judge(servers, attempts)
            self._count(attempts)
            for server, hammer in zip(servers, hammers, strict=True):
                self._count_requests(server, hammer, attempts)
            print(f"  {self._figures.progress}", flush=True)

    @property
    def _kills_left(self) -> int:
        return max(0, self._kills - self._figures.kills)

    @property
    def _freezes_left(self) -> int:
        return max(0, self._freezes - self._figures.freezes)

    def _round(self) -> list[Attempt]:
        attempts, busy = list[Attempt](), list[Attempt]()
        until = time.monotonic() + LONGEST_ROUND_S
        blows = min(BLOWS_A_ROUND, self._kills_left + self._freezes_left)
        with ExitStack() as stack:
            while sum(a.killed or a.frozen for a in attempts) < blows and time.monotonic() < until:
                if len(busy) < AT_ONCE:
                    busy.append(self._begun(stack))
                    attempts.append(busy[-1])
                busy = [attempt for attempt in busy if attempt.goes_on()]
                time.sleep(TICK_S)
            for attempt in busy:
                attempt.end()
        return attempts

    def _begun(self, stack: ExitStack) -> Attempt:
        errand, blow = self._errands.next(), self._blow()
        return Attempt(errand, stack.enter_context(Victim(self._harness, errand.act)), blow)

    def _blow(self) -> Blow | None:
        if self._chance.random() < UNHARMED_SHARE:
            return None
        left = [self._kills_left, self._freezes_left]
        return random_blow(self._chance, self._chance.choices([False, True], left)[0])

    def _judge(self, servers: Sequence[ModelServer], attempts: Sequence[Attempt]) -> None:
        self._figures.violations += settle(self._harness) + silent(self._harness, servers)
        self._figures.survivors += self._harness.leftovers()
        for attempt in attempts:
            self._figures.untruths += attempt.untruths()

    def _count(self, attempts: Sequence[Attempt]) -> None:
        self._figures.kills += sum(attempt.killed for attempt in attempts)
        self._figures.freezes += sum(attempt.frozen for attempt in attempts)
        self._figures.told.update(attempt.told for attempt in attempts)

    def _count_requests(self, server: ModelServer, hammer: Hammer, attempts: Sequence[Attempt]) -> None:
        """A revision that was refused, or closed because its time was over, must have answered nobody.

        One of which a deploy or a rollback returned must have served.
        """
        self._figures.requests += hammer.sent
        self._figures.failed += [f"{server.name}: {reply}" for reply in hammer.failed]
        answered = hammer.answers_begun_after(0) - {""}
        self._figures.untruths += [
            f"{attempt.told}, and {attempt.errand.answer} answered"
            for attempt in attempts
            if isinstance(attempt.raised, RevisionRefused) and attempt.errand.answer in answered
        ]
        history = self._harness.deployer().history(server.uuid)
        for attempt in (attempt for attempt in attempts if attempt.errand.server == server.name):
            self._figures.untruths += attempt.unserved(hammer.answers, history)
