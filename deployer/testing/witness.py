"""Somebody who looks at a platform after each change that one deployer makes."""

from dataclasses import dataclass, field
from typing import Any

from deployer.engine import Phase
from deployer.engine_deployer import EngineModelDeployer
from deployer.server import ModelServer
from deployer.testing.faults import Call, Do

CHANGES = ("engine.create", "engine.start", "engine.stop", "engine.delete", "gateway.write", "gateway.acknowledge")


@dataclass(frozen=True)
class Seen:
    """What was there after a call: the revisions that ran, and what was told of the only server."""

    call: str
    running: list[int]
    server: ModelServer


@dataclass
class Witness:
    """Looks through the eyes of another deployer."""

    other: EngineModelDeployer
    seen: list[Seen] = field(default_factory=list)

    def around(self, call: Call, do: Do) -> Any:
        done = do()
        if call.name in CHANGES:
            (server,) = self.other.find_model_server()
            self.seen.append(Seen(call.name, running(self.other), server))
        return done

    @property
    def most_at_once(self) -> int:
        """How many revisions ran at the same time."""
        return max(len(seen.running) for seen in self.seen)


def running(deployer: EngineModelDeployer) -> list[int]:
    """The revisions that run, of all servers."""
    return [workload.revision for workload in deployer.engine.list() if workload.phase is Phase.RUNNING]
