"""What another deployer does while one is frozen."""

from collections.abc import Callable
from dataclasses import dataclass

from deployer.engine_deployer import EngineModelDeployer
from deployer.errors import DeployerError, ServerStopped, Superseded
from deployer.server import ModelServer
from deployer.testing.operations import STOPPED, End, Operation, Stage

OTHER = "other"


@dataclass(frozen=True)
class Meanwhile:
    """One thing that another deployer does.

    Attributes:
        name: in words.
        act: for the server whose name has that end; gives what went wrong, in words.
        answer: what the server's URL then answers, or its state; None where it is gone.
        raises: what tells the frozen one of it; nothing does where it only brings on what others began.
        interrupts: whether the server may fall silent for it.
    """

    name: str
    act: Callable[[Stage, EngineModelDeployer, str], list[str]]
    answer: str | None = None
    raises: tuple[type[DeployerError], ...] = ()
    interrupts: bool = False

    @property
    def helps(self) -> bool:
        """Whether the frozen one comes to its end all the same."""
        return not self.raises

    def end(self, operation: Operation) -> End:
        """How things stand where the frozen one came to nothing."""
        if self.helps:
            return operation.ends[0]
        others = {name: end for name, end in operation.ends[0].items() if name != operation.target}
        return others if self.answer is None else {**others, operation.target: self.answer}


def _replace(stage: Stage, deployer: EngineModelDeployer, target: str) -> list[str]:
    deployer.deploy_model(stage.config(OTHER), replace=True)
    return [] if stage.ends().get(target) == OTHER else [f"it was replaced, and things stand as {stage.ends()}"]


def _stop(stage: Stage, deployer: EngineModelDeployer, target: str) -> list[str]:
    for server in _standing(stage, deployer, target):
        deployer.stop_model_server(server.uuid)
    return [] if stage.ends().get(target, STOPPED) == STOPPED else [f"it was stopped, and stands as {stage.ends()}"]


def _delete(stage: Stage, deployer: EngineModelDeployer, target: str) -> list[str]:
    for server in _standing(stage, deployer, target):
        deployer.delete_model_server(server.uuid)
    return [] if target not in stage.ends() else [f"it was deleted, and things stand as {stage.ends()}"]


def _reconcile(stage: Stage, deployer: EngineModelDeployer, target: str) -> list[str]:
    return [f"it was reconciled: {report.error}" for report in deployer.reconcile().failed]


def _reconcile_then_replace(stage: Stage, deployer: EngineModelDeployer, target: str) -> list[str]:
    return [*_reconcile(stage, deployer, target), *_replace(stage, deployer, target)]


def _standing(stage: Stage, deployer: EngineModelDeployer, target: str) -> list[ModelServer]:
    return [server for server in deployer.find_model_server() if server.name == f"{stage.name}{target}"]


MEANWHILE = {
    meanwhile.name: meanwhile
    for meanwhile in (
        Meanwhile("replaces", _replace, OTHER, (Superseded,)),
        Meanwhile("stops", _stop, STOPPED, (ServerStopped,), interrupts=True),
        Meanwhile("deletes", _delete, None, (Superseded,), interrupts=True),
        Meanwhile("reconciles", _reconcile),
        Meanwhile("reconciles, then replaces", _reconcile_then_replace, OTHER, (Superseded,)),
    )
}
