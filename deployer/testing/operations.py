"""Everything that a deployer can be asked to do, with what stands before it and how it may end."""

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from deployer.config import Drain, ModelServerConfig, Probes
from deployer.engine import Wanted
from deployer.engine_deployer import EngineModelDeployer
from deployer.errors import EngineError, RevisionRefused
from deployer.server import ModelServer
from deployer.testing.faults import At, Call, Watch, befall, marking, named
from deployer.testing.harness import Harness

End = Mapping[str, str]
"""What each server's URL answers, or its state where it answers nothing; by what its name has beyond the stage's."""
TAKEN_UP_WITHIN_S = 10.0
RECREATE = {"rollout": "recreate"}
STOPPED, FAILED = "stopped", "failed"


@dataclass(frozen=True)
class Stage:
    """One platform with whatever an operation needs to stand there; names begin with that of the stage."""

    harness: Harness
    name: str

    def config(self, answer: str, mode: str = "ok", **fields: Any) -> ModelServerConfig:
        """A config that wastes no time; of the server that the stage is named after, where nothing else is said."""
        brief = {"delay_s": 0, "probes": Probes(settle_s=0, startup_s=20), "drain": Drain(drain_s=0, grace_s=5)}
        return self.harness.config(answer, mode, **{"model_name": self.name} | brief | fields)

    def deploy(self, answer: str, **fields: Any) -> ModelServer:
        """By a deployer whom nothing befalls."""
        return self.harness.deployer().deploy_model(self.config(answer, **fields), replace=True)

    def begin(self, answer: str, **fields: Any) -> ModelServer:
        """A deploy that nobody waits for."""
        config = self.config(answer, delay_s=0.02, **fields)
        return self.harness.deployer().deploy_model(config, replace=True, timeout=0)

    def ends(self) -> End:
        """How things stand now, once the gateway has taken up what is routed: who wrote it may have died before."""
        deployer = self.harness.deployer()
        found = [server for server in deployer.find_model_server() if server.name.startswith(self.name)]
        for server, route in deployer.gateway.routes().items():
            deployer.gateway.acknowledge(server, route.tag, TAKEN_UP_WITHIN_S)
        return {server.name.removeprefix(self.name): self._end(server) for server in found}

    def _end(self, server: ModelServer) -> str:
        reply = self.harness.ask(server)
        return reply.answer if reply.ok else str(server.state)


Act = Callable[[Stage, EngineModelDeployer, ModelServer | None], object]


@dataclass(frozen=True)
class Operation:
    """One thing to do.

    Attributes:
        prepare: makes what must stand before; gives the server that it is about, if there is one yet.
        ends: how things may stand afterwards: first as they do if nothing befalls the deployer, then as they also
            may if something does.
        turns: the calls that bring it on, in their order: once the last took effect, things come to stand as the first
            of `ends` even where the deployer is killed, once the one before did, as the second; else as the last.
        raises: what tells that it came to its end; nothing does where it returns.
        after_another: how things also may stand where another one replaced before it looked.
        interrupts: the servers that may rightly fall silent, by the end of their names.
        target: the end of the name of the server that another deploy would replace.
    """

    name: str
    prepare: Callable[[Stage], ModelServer | None]
    act: Act
    ends: tuple[End, ...]
    raises: tuple[type[BaseException], ...] = ()
    turns: tuple[At, ...] = (named("engine.create"),)
    after_another: tuple[End, ...] = ()
    interrupts: tuple[str, ...] = ()
    target: str = ""

    def end_after(self, effects: Sequence[Call]) -> End:
        """How things must stand where nothing but a reconcile has followed on those calls."""
        left = [number for number, turn in enumerate(reversed(self.turns)) if any(map(turn, effects))]
        return self.ends[left[0] if left else -1]


@dataclass(frozen=True)
class Deploying:
    """To deploy that answer over what stands."""

    answer: str
    mode: str = "ok"
    fields: Mapping[str, Any] = field(default_factory=dict)

    def __call__(self, stage: Stage, deployer: EngineModelDeployer, server: ModelServer | None) -> ModelServer:
        return deployer.deploy_model(stage.config(self.answer, self.mode, **self.fields), replace=True)


def _nothing(stage: Stage) -> None:
    """Nothing stands."""


def _one(stage: Stage) -> ModelServer:
    return stage.deploy("v1")


def _two_revisions(stage: Stage) -> ModelServer:
    stage.deploy("v1")
    return stage.deploy("v2")


def _stopped(stage: Stage) -> ModelServer:
    server = stage.deploy("v1")
    stage.harness.deployer().stop_model_server(server.uuid)
    return server


def _equivalents(stage: Stage) -> ModelServer:
    """Three servers of one model, the newest of them last."""
    deployer = stage.harness.deployer()
    return [deployer.deploy_model(stage.config(answer)) for answer in ("a1", "b1", "c1")][-1]


def _rollout_under_way(stage: Stage) -> ModelServer:
    server = stage.deploy("v1")
    stage.begin("v2")
    return server


def _dead_and_under_way(stage: Stage) -> ModelServer:
    """One server whose rollout nobody waits for, one that died."""
    server = _rollout_under_way(stage)
    stage.harness.kill(stage.deploy("w1", model_name=f"{stage.name}-w"))
    return server


def _asked(stage: Stage, deployer: EngineModelDeployer, server: ModelServer | None) -> ModelServer:
    assert server
    return server


def _rollback(stage: Stage, deployer: EngineModelDeployer, server: ModelServer | None) -> ModelServer:
    return deployer.rollback(_asked(stage, deployer, server).uuid)


def _stop(stage: Stage, deployer: EngineModelDeployer, server: ModelServer | None) -> None:
    deployer.stop_model_server(_asked(stage, deployer, server).uuid)


def _start(stage: Stage, deployer: EngineModelDeployer, server: ModelServer | None) -> None:
    deployer.start_model_server(_asked(stage, deployer, server).uuid)


def _delete(stage: Stage, deployer: EngineModelDeployer, server: ModelServer | None) -> None:
    deployer.delete_model_server(_asked(stage, deployer, server).uuid)


def _reconcile(stage: Stage, deployer: EngineModelDeployer, server: ModelServer | None) -> None:
    if failed := deployer.reconcile().failed:
        raise EngineError("; ".join(report.error for report in failed))


OPERATIONS = (
    Operation("first deploy", _nothing, Deploying("v1"), ({"": "v1"}, {"": FAILED}, {})),
    Operation("first deploy, refused", _nothing, Deploying("v1", "exit"), ({"": FAILED}, {}), (RevisionRefused,)),
    Operation("replace", _one, Deploying("v2"), ({"": "v2"}, {"": "v1"})),
    Operation("replace, refused", _one, Deploying("v2", "exit"), ({"": "v1"},), (RevisionRefused,)),
    Operation(
        "replace of several equivalents",
        _equivalents,
        Deploying("d1"),
        ({"-3": "d1"}, {"": "a1", "-2": "b1", "-3": "c1"}),
        interrupts=("", "-2"),
        target="-3",
    ),
    Operation("recreate", _one, Deploying("v2", fields=RECREATE), ({"": "v2"}, {"": "v1"}), interrupts=("",)),
    Operation(
        "recreate, refused",
        _one,
        Deploying("v2", "exit", fields=RECREATE),
        ({"": "v1"},),
        (RevisionRefused,),
        interrupts=("",),
    ),
    Operation("deploy over a stopped server", _stopped, Deploying("v2"), ({"": "v2"}, {"": STOPPED})),
    Operation("rollback", _two_revisions, _rollback, ({"": "v1"}, {"": "v2"}), after_another=({"": "v2"},)),
    Operation("stop", _one, _stop, ({"": STOPPED}, {"": "v1"}), turns=(marking(Wanted.STOPPED),), interrupts=("",)),
    Operation(
        "stop during a rollout",
        _rollout_under_way,
        _stop,
        ({"": STOPPED}, {"": "v1"}, {"": "v2"}),
        turns=(named("gateway.write"), marking(Wanted.STOPPED)),
        interrupts=("",),
    ),
    Operation("start", _stopped, _start, ({"": "v1"}, {"": STOPPED}), turns=(marking(Wanted.RUNNING),)),
    Operation(
        "delete",
        _one,
        _delete,
        ({}, {"": STOPPED}, {"": "v1"}),
        turns=(marking(Wanted.STOPPED), named("engine.delete")),
        interrupts=("",),
    ),
    Operation("reconcile", _dead_and_under_way, _reconcile, ({"": "v2", "-w": "w1"},)),
)


def calls_of(harness: Harness, operation: Operation, name: str) -> list[Call]:
    """Those that the operation makes where nothing befalls it.

    Args:
        name: of the server that it is about.
    """
    stage, watch = Stage(harness, name), Watch()
    server = operation.prepare(stage)
    with contextlib.suppress(*operation.raises):
        operation.act(stage, befall(harness.deployer(), watch), server)
    return watch.calls
