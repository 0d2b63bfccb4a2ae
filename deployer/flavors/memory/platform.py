"""A platform that lives in memory: workloads that act as their model says, and a clock."""

import json
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

from deployer.engine import Ending, Health, Launch, Phase, Readiness, Wanted
from deployer.gateways.memory import MemoryGateway, MemoryRoutes

GONE_AFTER_ONE_ANSWER_S = 0.3
KILLED = -9


@dataclass
class Run:
    """One run of a model server, acting as the suite's tiny model server would."""

    model: dict[str, object]
    began: float = field(default_factory=time.monotonic)
    ended: float | None = None
    exit_code: int = 0
    answered: float | None = None
    hung: bool = False
    silent_since: float | None = None

    @property
    def mode(self) -> str:
        return str(self.model.get("mode", "ok"))

    def look(self) -> None:
        """Let what had to happen by now happen."""
        loaded = self.began + float(str(self.model.get("delay_s", 0)))
        now = time.monotonic()
        if self.mode == "exit" and now >= loaded:
            self.end(7, loaded)
        elif self.mode == "once" and self.answered and now >= self.answered + GONE_AFTER_ONE_ANSWER_S:
            self.end(3, self.answered + GONE_AFTER_ONE_ANSWER_S)

    def end(self, exit_code: int, at: float | None = None) -> None:
        if self.ended is None:
            self.ended, self.exit_code = at or time.monotonic(), exit_code

    def readiness(self) -> Readiness:
        self.look()
        loaded = self.began + float(str(self.model.get("delay_s", 0)))
        if self.ended or self.mode == "hang" or time.monotonic() < loaded:
            return Readiness(Health.UNREACHED, "nothing listens yet")
        if self.hung:
            return Readiness(Health.SILENT, "no answer in time")
        if self.mode == "sick":
            return Readiness(Health.SICK, "status 500")
        self.answered = self.answered or time.monotonic()
        return Readiness(Health.READY)


@dataclass
class Stored:
    """What the platform keeps of one workload; the record as JSON, as elsewhere."""

    record: str
    launch: Launch
    token: str
    server: str
    wanted: Wanted = Wanted.RUNNING
    cause: str = "created"
    starts: int = 0
    created: float = field(default_factory=time.monotonic)
    run: Run | None = None
    log: list[str] = field(default_factory=list)

    def phase(self) -> Phase:
        if self.run is None:
            return Phase.CREATED
        self.run.look()
        return Phase.ENDED if self.run.ended else Phase.RUNNING

    def ending(self) -> Ending | None:
        if self.run is None or self.run.ended is None:
            return None
        ago_s = time.monotonic() - self.run.ended
        return Ending(exit_code=self.run.exit_code, message=f"exit code {self.run.exit_code}", ago_s=ago_s)


class MemoryPlatform:
    """Workloads and routes; every deployer of the same platform sees the same."""

    _all: dict[str, "MemoryPlatform"] = {}
    _making = threading.Lock()

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.workloads: dict[tuple[str, int], Stored] = {}
        self.routes = MemoryRoutes()

    @classmethod
    def named(cls, name: str) -> "MemoryPlatform":
        with cls._making:
            return cls._all.setdefault(name, cls())

    def ask(self, server: str) -> tuple[int, str, int]:
        """One request through the gateway: status, answer, revision (0 where none answered)."""
        route = MemoryGateway(self.routes).routes(server).get(server)
        if route is None:
            return 404, "", 0
        backends = [backend for backend in route.split if backend.address]
        if not backends:
            return 503, "", 0
        revision = backends[0].revision
        with self.lock:
            stored = self.workloads.get((server, revision))
            if stored is None or stored.run is None or stored.run.readiness().health is not Health.READY:
                return 502, "", 0
            return 200, str(stored.run.model.get("answer", "")), revision


def read_model(folder: Path) -> dict[str, object]:
    """How a server of that model acts; any model without `model.json` acts well."""
    description = folder / "model.json"
    if not description.is_file():
        return {}
    model = json.loads(description.read_text())
    return model if isinstance(model, dict) else {}
