"""An engine and its gateway, met with patience, and what looks at both."""

from dataclasses import dataclass
from functools import cached_property

from deployer.engine import Engine
from deployer.gateway import Gateway
from deployer.rollout.observe import Observer
from deployer.rollout.retry import PatientEngine, PatientGateway


@dataclass(frozen=True)
class Platform:
    """What every operation on model servers works with."""

    engine: Engine
    gateway: Gateway

    @classmethod
    def patient(cls, engine: Engine, gateway: Gateway) -> "Platform":
        """One whose transient errors are retried."""
        return cls(PatientEngine(engine), PatientGateway(gateway))

    @cached_property
    def observer(self) -> Observer:
        return Observer(self.engine, self.gateway)
