"""What the deployers of a soak are asked to do, by chance."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from operator import methodcaller
from random import Random
from typing import Any

from deployer.config import Drain, Probes
from deployer.engine_deployer import EngineModelDeployer
from deployer.errors import (
    DeployerError,
    NothingToRollBackTo,
    RevisionRefused,
    RolloutTimeout,
    ServerNotFound,
    ServerStopped,
    Superseded,
    Transient,
)
from deployer.testing.harness import Harness
from deployer.testing.victims import Act

Errors = tuple[type[DeployerError], ...]


@dataclass(frozen=True)
class Errand:
    """One thing that one deployer is asked to do.

    Attributes:
        server: the name of the server that it is about; empty for all.
        answer: of the model that it deploys; empty where it deploys none.
        may_raise: what its caller may truly be told.
    """

    what: str
    act: Act
    server: str = ""
    answer: str = ""
    may_raise: Errors = (Transient,)


@dataclass(frozen=True)
class Named:
    """Does something to the server of that name, if there is one."""

    method: str
    name: str

    def __call__(self, deployer: EngineModelDeployer) -> Any:
        found = deployer.find_model_server(model_name=self.name)
        return getattr(deployer, self.method)(found[0].uuid) if found else None


class Errands:
    """Thinks of ever new ones.

    Args:
        steady: names of servers that are there and must always answer.
        restless: names of servers that may come, stop and go.
    """

    def __init__(self, harness: Harness, chance: Random, steady: list[str], restless: list[str]) -> None:
        self._harness = harness
        self._chance = chance
        self._steady = steady
        self._restless = restless
        self._numbers = count(1)

    def next(self) -> Errand:
        """Mostly a replace, now and then anything else."""
        weighed: dict[Callable[[], Errand], int] = {
            self._replace: 6,
            self._replace_by_a_bad_one: 2,
            self._replace_in_a_hurry: 1,
            self._roll_back: 2,
            self._reconcile: 3,
            self._deploy_to_the_restless: 2,
            self._disturb_the_restless: 2,
        }
        (think,) = self._chance.choices(list(weighed), list(weighed.values()))
        return think()

    def replace(self, name: str) -> Errand:
        """A deploy of a good model to that server."""
        return self._deploy("replace", name, (Superseded, Transient))

    def _replace(self) -> Errand:
        return self.replace(self._chance.choice(self._steady))

    def _replace_by_a_bad_one(self) -> Errand:
        name, mode = self._chance.choice(self._steady), self._chance.choice(["exit", "once"])
        return self._deploy("replace by a bad one", name, (RevisionRefused, Superseded, Transient), mode, settle_s=0.6)

    def _replace_in_a_hurry(self) -> Errand:
        name, may_raise = self._chance.choice(self._steady), (RolloutTimeout, Superseded, Transient)
        return self._deploy("replace in a hurry", name, may_raise, delay_s=3, timeout=1)

    def _roll_back(self) -> Errand:
        name, may_raise = self._chance.choice(self._steady), (NothingToRollBackTo, Superseded, Transient)
        return Errand("roll back", Named("rollback", name), name, may_raise=may_raise)

    def _reconcile(self) -> Errand:
        return Errand("reconcile", methodcaller("reconcile", timeout=60))

    def _deploy_to_the_restless(self) -> Errand:
        """A stop that is killed while it closes a revision never says why: refused is all that is known then."""
        timeout = self._chance.choice([0, 60])
        may_raise = (Superseded, ServerStopped, RevisionRefused, Transient)
        return self._deploy("deploy to the restless", self._chance.choice(self._restless), may_raise, timeout=timeout)

    def _disturb_the_restless(self) -> Errand:
        method = self._chance.choice(["stop_model_server", "start_model_server", "delete_model_server"])
        name, may_raise = self._chance.choice(self._restless), (ServerNotFound, ServerStopped, Superseded, Transient)
        return Errand(method.partition("_")[0], Named(method, name), name, may_raise=may_raise)

    def _deploy(
        self,
        what: str,
        name: str,
        may_raise: Errors,
        mode: str = "ok",
        settle_s: float = 0.1,
        delay_s: float = 0,
        timeout: int = 60,
    ) -> Errand:
        answer = f"{name}-{next(self._numbers)}"
        probes, drain = Probes(settle_s=settle_s, startup_s=60), Drain(drain_s=0.1, grace_s=5)
        config = self._harness.config(answer, mode, model_name=name, delay_s=delay_s, probes=probes, drain=drain)
        act = methodcaller("deploy_model", config, replace=True, timeout=timeout)
        return Errand(what, act, name, answer, may_raise)
