"""Whatever deployers are asked in whatever order, and whatever befalls them: nothing is lost, nobody lied to."""

import functools
import itertools
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, get_args
from uuid import UUID

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from deployer.config import Drain, ModelServerConfig, Probes
from deployer.flavors.memory.deployer import MemoryModelDeployer
from deployer.flavors.memory.platform import KILLED, MemoryPlatform
from deployer.flavors.memory.settings import MemorySettings
from deployer.records.record import Record
from deployer.rollout import reconcile
from deployer.store import Store
from deployer.testing.harness import ModelFolder
from tests.stateful.actors import FAULTS, Actor, Plight
from tests.stateful.clock import Clock
from tests.stateful.lookout import Lookout, Made
from tests.stateful.operations import PATIENT_S, Delete, Deploy, Operation, Reconcile, Rollback, Start, Stop
from tests.stateful.reckoning import Case, Reckoning

DEPLOYERS = 3
STARTUP_S = 4
LONGEST_EXAMPLE_S = 4
MODELS: dict[str, dict[str, Any]] = {
    "v1": {},
    "v2": {},
    "settling": {"settle_s": 0.5},
    "slow": {"delay_s": 2},
    "exits": {"mode": "exit"},
    "hangs": {"mode": "hang"},
    "sick": {"mode": "sick"},
    "once": {"mode": "once"},
    "once, settling": {"mode": "once", "settle_s": 0.5},
}
ROLLOUTS = get_args(ModelServerConfig.model_fields["rollout"].annotation)
PATIENCE = st.sampled_from([PATIENT_S, PATIENT_S, 1, 0])
PLIGHTS = st.lists(
    st.builds(Plight, st.sampled_from(list(FAULTS)), st.integers(0, 45), st.booleans()),
    max_size=2,
)
WHICH = st.integers(0, 2)
numbers = itertools.count()


class Deployers(RuleBasedStateMachine):
    """Several deployers of one platform.

    Attributes:
        root: where the models and their copies are.
    """

    root: Path

    def __init__(self) -> None:
        super().__init__()
        self._stack = ExitStack()
        self._clock = Clock()
        self._stack.enter_context(self._clock.installed())
        self._models = ModelFolder(self.root)
        self._settings = MemorySettings(platform=f"{self.root} {next(numbers)}", model_store=self.root / "store")
        self._platform = MemoryPlatform.named(self._settings.platform)
        onlooker = MemoryModelDeployer(self._settings)
        self._lookout = Lookout(self._platform, onlooker.store.path, lambda uuid: self._reckoning.shaky(uuid))  # noqa: PLW0108 # made later
        self._reckoning = Reckoning(onlooker, self._lookout, self._clock)
        self._onlooker = onlooker
        self._actors = [self._actor() for _ in range(DEPLOYERS)]
        self._cases: dict[Actor, Case] = {}

    # ---- what is asked of them

    @precondition(lambda self: self._idle)
    @rule(model=st.sampled_from(["v1", "v2"]), plights=PLIGHTS)
    def replace(self, model: str, plights: list[Plight]) -> None:
        self.deploy_as_said(model, "alpha", "replace", True, PATIENT_S, plights)

    @precondition(lambda self: self._idle)
    @rule(
        model=st.sampled_from(list(MODELS)),
        name=st.sampled_from(["alpha", ""]),
        rollout=st.sampled_from(ROLLOUTS),
        replace=st.sampled_from([True, True, False]),
        timeout=PATIENCE,
        plights=PLIGHTS,
    )
    def deploy(self, model: str, name: str, rollout: str, replace: bool, timeout: int, plights: list[Plight]) -> None:
        self.deploy_as_said(model, name, rollout, replace, timeout, plights)

    def deploy_as_said(
        self, model: str, name: str, rollout: str, replace: bool, timeout: int, plights: list[Plight]
    ) -> None:
        config, good = self._config(model, name=name, rollout=rollout), "mode" not in MODELS[model]
        self._ask(Deploy(config, model, good, replace, timeout), plights)

    @precondition(lambda self: self._idle and self._reckoning.listed)
    @rule(which=WHICH, plights=PLIGHTS)
    def roll_back(self, which: int, plights: list[Plight]) -> None:
        self._ask(Rollback(self._uuid(which)), plights)

    @precondition(lambda self: self._idle and self._reckoning.listed)
    @rule(which=WHICH, force=st.booleans(), plights=PLIGHTS)
    def stop(self, which: int, force: bool, plights: list[Plight]) -> None:
        self._ask(Stop(self._uuid(which), force), plights)

    @precondition(lambda self: self._idle and self._reckoning.listed)
    @rule(which=WHICH, timeout=st.sampled_from([PATIENT_S, 0]), plights=PLIGHTS)
    def start(self, which: int, timeout: int, plights: list[Plight]) -> None:
        self._ask(Start(self._uuid(which), timeout), plights)

    @precondition(lambda self: self._idle and self._reckoning.listed)
    @rule(which=WHICH, force=st.booleans(), plights=PLIGHTS)
    def delete(self, which: int, force: bool, plights: list[Plight]) -> None:
        self._ask(Delete(self._uuid(which), force), plights)

    @precondition(lambda self: self._idle)
    @rule(plights=PLIGHTS)
    def reconcile(self, plights: list[Plight]) -> None:
        self._ask(Reconcile(), plights)

    # ---- what befalls the world

    @precondition(lambda self: self._frozen)
    @rule(which=WHICH)
    def thaw(self, which: int) -> None:
        self._thaw(self._frozen[which % len(self._frozen)])

    @precondition(lambda self: self._lookout.running())
    @rule(which=WHICH, hangs=st.booleans())
    def kill(self, which: int, hangs: bool) -> None:
        running = self._lookout.running()
        self._harm(running[which % len(running)], hangs)

    @rule(seconds=st.sampled_from([1, 10, 100]))
    def time_passes(self, seconds: int) -> None:
        self._clock.pass_(seconds)
        self._reckoning.time_passes()

    @invariant()
    def all_is_well(self) -> None:
        self._reckoning.look()
        wrong = self._lookout.wrong + self._reckoning.wrong
        assert not wrong, "\n".join(wrong)

    def teardown(self) -> None:
        """Everybody comes to his end, then all is brought to order."""
        failed = sys.exc_info()[0]
        try:
            while self._frozen:
                self._thaw(self._frozen[0])
            if not failed:
                self._bring_to_order()
        finally:
            self._stack.close()

    def _bring_to_order(self) -> None:
        for made in self._lookout.awaited():
            self._harm(made, hangs=False)
        for seconds in (0, 200):
            self._clock.pass_(seconds)
            self._ask(Reconcile(), [])
            self.all_is_well()
        self._ask(Reconcile(), [])
        self.all_is_well()
        for server in self._onlooker.find_model_server():
            self._ask(Delete(server.uuid, force=False), [])
        self.all_is_well()
        assert self._onlooker.engine.list() == [] and self._onlooker.gateway.routes() == {}

    # ---- how

    def _harm(self, made: Made, hangs: bool) -> None:
        stored = self._lookout.stored(made)
        assert stored and stored.run
        if hangs:
            stored.run.hung = True
        else:
            stored.run.end(KILLED)
        made.harmed = True
        made.dropped = made.dropped or not made.routed

    @property
    def _idle(self) -> list[Actor]:
        return [actor for actor in self._actors if not actor.busy]

    @property
    def _frozen(self) -> list[Actor]:
        return [actor for actor in self._actors if actor.busy]

    def _actor(self) -> Actor:
        return Actor(MemoryModelDeployer(self._settings), self._lookout.around)

    def _uuid(self, which: int) -> UUID:
        listed = self._reckoning.listed
        return listed[which % len(listed)].uuid

    def _config(self, model: str, **fields: Any) -> ModelServerConfig:
        act = {"settle_s": 0, "delay_s": 0} | MODELS[model]
        probes = Probes(settle_s=act.pop("settle_s"), startup_s=STARTUP_S)
        return self._models.config(model, **act, probes=probes, drain=Drain(drain_s=0, grace_s=5), **fields)

    def _ask(self, operation: Operation, plights: list[Plight]) -> None:
        actor = self._idle[0]
        self._cases[actor] = self._reckoning.begin(operation)
        self._cases[actor].attempt = actor.begin(operation.carry_out, plights)
        self._follow_up(actor)

    def _thaw(self, actor: Actor) -> None:
        self._reckoning.go_on(self._cases[actor])
        actor.thaw()
        self._follow_up(actor)

    def _follow_up(self, actor: Actor) -> None:
        attempt = actor.attempt
        assert attempt
        if attempt.late:
            self._reckoning.time_passes()
        if actor.busy:
            return
        self._reckoning.end(self._cases.pop(actor), attempt)
        if attempt.killed:
            self._actors[self._actors.index(actor)] = self._actor()
        else:
            self._actors.sort(key=lambda a: a is actor)


@pytest.fixture(autouse=True)
def brisk(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Each model is copied and each record read once; one server after another, so that every run is alike."""
    add = functools.cache(Store.add)
    monkeypatch.setattr(Store, "add", lambda store, uri, _: add(store, uri))
    monkeypatch.setattr(Record, "model_validate_json", functools.cache(Record.model_validate_json))
    monkeypatch.setattr(reconcile, "_at_once", lambda _, servers, end_of, __: {s: end_of(s) for s in servers})
    yield


@pytest.mark.timeout(LONGEST_EXAMPLE_S * settings().max_examples)
def test_in_any_order(tmp_path: Path) -> None:
    machine = type("DeployersThere", (Deployers,), {"root": tmp_path})
    run_state_machine_as_test(machine, settings=settings())
    print(f"examples: {next(numbers)}")
