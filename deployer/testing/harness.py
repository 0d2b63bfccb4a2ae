"""What the suite asks of whoever wants a flavor tested: one object that knows the flavor's platform from outside."""

from contextlib import AbstractContextManager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, ClassVar, Protocol

from deployer.config import Command, Drain, ModelServerConfig, Probes
from deployer.engine import Workload
from deployer.engine_deployer import EngineModelDeployer
from deployer.records.names import platform_name
from deployer.server import ModelServer
from deployer.testing.hammer import Hammer, Reply
from deployer.testing.models import command_line, write_model
from deployer.testing.small_disk import SmallDisk
from deployer.testing.stranger import Stranger
from deployer.testing.strangers import Strangers


class Trait(StrEnum):
    """What is so in a flavor's nature that some scenario cannot be had there."""

    REQUESTS_TAKE_NO_TIME = "requests take no time"
    NO_PIDS = "no pids"
    NO_CHOSEN_PIDS = "no chosen pids"
    ONE_PROCESS = "one process"
    NO_PORTS = "no ports"
    NO_STRANGERS = "no strangers"
    NO_DISK = "no disk"
    NO_SMALL_DISK = "no small disk"
    DISK_OF_THE_ENGINE = "disk of the engine"
    BYTES_STAY = "bytes stay"
    SILENCE_IS_FORGOTTEN = "silence is forgotten"


class Harness(Protocol):
    """One platform of its own, empty at first, for one scenario.

    Deployers in other processes, which are killed for real, get a copy of it by pickling: its class belongs in a module
    that can be imported, and it names its platform rather than holding it. Not so with the trait ONE_PROCESS.
    """

    traits: ClassVar[frozenset[Trait]]
    tries: ClassVar[int]
    """How often each kill and each freeze with a real signal is tried: fewer where each takes long."""

    def deployer(self) -> EngineModelDeployer:
        """A new deployer over the platform, as another process or another day would have it.

        Its engine, gateway and store are its own, and the same objects whenever they are asked for.
        """
        ...

    def config(self, answer: str, mode: str = "ok", **fields: Any) -> ModelServerConfig:
        """A config whose model gives that answer.

        Args:
            mode: one of `deployer.testing.model_server.MODES`.
            fields: of the config, or of the model (`delay_s`, `work_s`).
        """
        ...

    def ask(self, server: ModelServer) -> Reply:
        """One request through the server's URL."""
        ...

    def hammer(self, server: ModelServer) -> AbstractContextManager[Hammer]:
        """Requests through the server's URL without pause, several at a time."""
        ...

    def kill(self, server: ModelServer) -> None:
        """End the workload that serves, as SIGKILL does; returns once it is dead."""
        ...

    def hang(self, server: ModelServer) -> None:
        """Let the workload that serves accept requests, and answer none of them."""
        ...

    def gateway_down(self) -> AbstractContextManager[None]:
        """While the context is open no URL answers, and the gateway neither comes up nor acknowledges anything."""
        ...

    def erase_all_but_records(self) -> None:
        """Lose the routes, the caches and the model store, as their folders may be lost; what runs goes on."""
        ...

    def leftovers(self) -> list[str]:
        """What is there and belongs to no workload, in words: processes, folders, half-made files."""
        ...


class HarnessWithPids(Harness, Protocol):
    """One without the traits NO_PIDS and NO_CHOSEN_PIDS."""

    def recycle_pid(self, server: ModelServer) -> AbstractContextManager[Stranger]:
        """End the workload that serves, as SIGKILL does; while the context is open a stranger has its pid."""
        ...


class HarnessWithPorts(Harness, Protocol):
    """One without the trait NO_PORTS."""

    def impostor(self, workload: Workload) -> AbstractContextManager[None]:
        """While the context is open, a stranger answers 200 to everything in the place of a workload that does not."""
        ...


class HarnessWithStrangers(Harness, Protocol):
    """One without the trait NO_STRANGERS."""

    def strangers(self, in_the_way_of: ModelServer | None = None) -> AbstractContextManager[Strangers]:
        """While the context is open, things stand on the platform that claim to be ours and cannot be read.

        One is the workload of a server `newer`, made by a newer library; that server has a route. They come once
        a server was deployed.

        Args:
            in_the_way_of: one of them has the place of that server's next revision.
        """
        ...


class HarnessWithDisk(Harness, Protocol):
    """One without the traits NO_DISK, NO_SMALL_DISK and DISK_OF_THE_ENGINE."""

    def small_disk(self) -> SmallDisk:
        """A small disk, on which all stands that the platform keeps; asked for before anything is deployed."""
        ...


@dataclass(frozen=True)
class ModelFolder:
    """Makes models of the suite's own model server, and configs that serve them fast.

    Attributes:
        settle_s, drain_s: of the configs, where a scenario does not say.
    """

    root: Path
    settle_s: float = 0.3
    drain_s: float = 0.2
    tries: ClassVar[int] = 3

    def config(self, answer: str, mode: str = "ok", **fields: Any) -> ModelServerConfig:
        """A config of the runtime `command`, with times that suit a test."""
        acts = {name: fields.pop(name) for name in ("delay_s", "work_s") if name in fields}
        place = "-".join(map(str, (answer, mode, *acts.values())))
        model = write_model(self.root / "models" / platform_name(place), answer, mode, **acts)
        return ModelServerConfig.model_validate(self._defaults(model) | fields)

    def _defaults(self, model: Path) -> dict[str, Any]:
        return {
            "model_uri": str(model),
            "model_name": "churn",
            "runtime": "command",
            "command": Command(line=command_line()),
            "probes": Probes(settle_s=self.settle_s, startup_s=20),
            "drain": Drain(drain_s=self.drain_s, grace_s=5),
        }
