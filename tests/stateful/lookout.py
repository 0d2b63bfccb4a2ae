"""Sees the platform before and after every call that changes it, and remembers each revision that was ever made."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

from deployer.engine import Ref, Wanted
from deployer.flavors.memory.platform import MemoryPlatform, Stored, read_model
from deployer.gateway import NO_ROUTE, Route
from deployer.gateways.memory import MemoryGateway
from deployer.records.record import Record
from deployer.testing.faults import Call, Do
from tests.stateful.actors import Attempt

GET_READY = ("ok", "once")


@dataclass(eq=False)
class Made:
    """One revision that somebody made, and what was seen of it since.

    Attributes:
        model: how it acts.
        asked: when it was asked for, in looks.
        routed_at: since when it has taken requests, in looks; None where it never did.
        closed: why it may never take requests again.
        harmed: it was killed or hangs, and has not answered since.
        dropped: before it took requests, somebody had a reason to close it.
    """

    ref: Ref
    record: Record
    model: dict[str, object]
    asked: int
    routed_at: int | None = None
    closed: str = ""
    harmed: bool = False
    dropped: bool = False

    @property
    def uuid(self) -> UUID:
        return self.record.uuid

    @property
    def revision(self) -> int:
        return self.record.revision

    @property
    def answer(self) -> str:
        return str(self.model["answer"])

    @property
    def routed(self) -> bool:
        """Whether it took requests once."""
        return self.routed_at is not None

    @property
    def good(self) -> bool:
        """Whether it gets ready, and stays so."""
        return self.model["mode"] == "ok"

    def __repr__(self) -> str:
        return f"{self.ref} ({self.answer})"


class Lookout:
    """Notes what must never be, around every call of every deployer.

    Args:
        model_path: the folder of the model with that digest.
        shaky: whether a server may fall silent now, because somebody stops or removes it.
    """

    def __init__(
        self, platform: MemoryPlatform, model_path: Callable[[str], Path], shaky: Callable[[UUID], bool]
    ) -> None:
        self._platform = platform
        self._gateway = MemoryGateway(platform.routes)
        self._model_path = model_path
        self._shaky = shaky
        self._routes: dict[str, Route] = {}
        self._made: dict[str, Made] = {}
        self._answering: set[UUID] = set()
        self._looks = 0
        self._began: dict[Attempt, int] = {}
        self.wrong: list[str] = []

    def around(self, attempt: Attempt | None, call: Call, do: Do) -> Any:
        if attempt:
            self._began.setdefault(attempt, self._looks)
        if not call.changes:
            return do()
        self.look(f"before {call}", attempt)
        try:
            return do()
        finally:
            self.look(f"after {call}", attempt)

    def look(self, when: str, by: Attempt | None = None) -> None:
        """Note what is wrong, and who made what is new."""
        self._looks += 1
        with self._platform.lock:
            workloads = list(self._platform.workloads.values())
        routes = self._gateway.routes()
        for stored in workloads:
            self._note(stored, by)
        wrong = [text for server, route in routes.items() for text in self._of_route(server, route)]
        wrong += [text for uuid in {made.uuid for made in self._made.values()} for text in self._of_answer(uuid)]
        self._routes = routes
        self.wrong += [f"{when}: {text}" for text in wrong]

    def silenced(self, uuid: UUID) -> None:
        """That server need not answer, until it is seen to answer again."""
        self._answering.discard(uuid)

    def of(self, uuid: UUID) -> list[Made]:
        """All revisions that a server ever had, the lowest first."""
        return sorted((made for made in self._made.values() if made.uuid == uuid), key=lambda made: made.revision)

    def by(self, attempt: Attempt) -> list[Made]:
        """What that attempt made."""
        return [self._made[ref.token] for ref in attempt.created]

    def routed(self, uuid: UUID) -> Made | None:
        """The revision of that server which takes its requests now."""
        named = self.named(uuid)
        return named if named and self._route(named).address_of(named.revision) else None

    def named(self, uuid: UUID) -> Made | None:
        """The revision of that server which its route names, if only to answer that it is stopped."""
        return next((made for made in self.of(uuid) if self._route(made).names(made.revision)), None)

    def is_closed(self, made: Made) -> bool:
        """Whether it can never take requests again."""
        route, stored = self._route(made), self.stored(made)
        burnt = made.revision <= route.high and not route.names(made.revision)
        return stored is None or burnt or stored.wanted is Wanted.REFUSED

    def is_stopped(self, made: Made) -> bool:
        stored = self.stored(made)
        return stored is not None and stored.wanted is Wanted.STOPPED

    def stored(self, made: Made) -> Stored | None:
        """What the platform has of it."""
        stored = self._platform.workloads.get((made.ref.server, made.revision))
        return stored if stored and stored.token == made.ref.token else None

    def superseded(self, uuid: UUID) -> list[int]:
        """The revisions of a server that are to go once another server's revision serves."""
        superseding = [made for made in self._made.values() if not self.is_closed(made)]
        return [old.revision for made in superseding for old in made.record.supersedes if old.uuid == uuid]

    def running(self) -> list[Made]:
        """Whatever runs, with and without requests."""
        stored = [s for s in self._platform.workloads.values() if s.run and not s.run.ended]
        return [self._made[s.token] for s in stored]

    def awaited(self) -> list[Made]:
        """What hangs where no route leads to it, be it that none is left or that it made room: nobody gives it up."""
        return [made for made in self.running() if self.hangs(made) and self.routed(made.uuid) is None]

    def hangs(self, made: Made) -> bool:
        stored = self.stored(made)
        return stored is not None and stored.run is not None and stored.run.hung

    def _route(self, made: Made) -> Route:
        """Of its server, if it is still that one."""
        return self._gateway.routes().get(made.ref.server, NO_ROUTE) if self.stored(made) else NO_ROUTE

    def _note(self, stored: Stored, by: Attempt | None) -> None:
        made = self._made.get(stored.token)
        if made is None:
            record = Record.model_validate_json(stored.record)
            ref = Ref(record.server, record.revision, record.token)
            self._made[record.token] = Made(ref, record, read_model(self._model_path(record.digest)), self._looks)
            if by:
                self._made[record.token].asked = self._began[by]
                by.created.append(ref)
        elif stored.wanted is Wanted.REFUSED:
            made.closed = made.closed or stored.cause

    def _of_route(self, server: str, now: Route) -> Iterator[str]:
        before = self._routes.get(server, NO_ROUTE)
        if now.high < before.high:
            yield f"{server}: high fell from {before.high} to {now.high}"
        if len(now.split) > 1:
            yield f"{server}: more than one revision takes requests"
        for backend in now.split:
            made = self._standing(server, backend.revision)
            if made is None and backend.address and not self._removed(server, backend.revision):
                yield f"{server}: routed to revision {backend.revision}, which is gone"
            elif made and made.closed:
                yield f"{made} takes requests, and was closed: {made.closed}"
            elif made and made.routed_at is None:
                made.routed_at = self._looks
                if made.model["mode"] not in GET_READY:
                    yield f"{made} takes requests, and was never ready"
        for backend in before.split:
            left = self._standing(server, backend.revision)
            if left and not now.names(backend.revision):
                left.closed = left.closed or "it left the route"

    def _standing(self, server: str, revision: int) -> Made | None:
        stored = self._platform.workloads.get((server, revision))
        return self._made[stored.token] if stored else None

    def _removed(self, server: str, revision: int) -> bool:
        """Whether somebody may have, with its server; the route goes last, or comes too late."""
        named = [m for m in self._made.values() if (m.ref.server, m.revision) == (server, revision)]
        return any(self._shaky(m.uuid) or not any(map(self.stored, self.of(m.uuid))) for m in named)

    def _of_answer(self, uuid: UUID) -> Iterator[str]:
        routed = self.routed(uuid)
        status, answer, _ = self._platform.ask(routed.ref.server) if routed else (0, "", 0)
        excused = self._shaky(uuid) or (routed is not None and (routed.harmed or not routed.good))
        if status != 200 and uuid in self._answering and not excused:
            yield f"{self.of(uuid)[-1].ref.server} answered, and does not any more: status {status}"
        if routed and status == 200:
            routed.harmed = False
            if answer != routed.answer:
                yield f"{routed} answers {answer}"
        (self._answering.add if status == 200 and not excused else self._answering.discard)(uuid)
