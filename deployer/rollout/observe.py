"""Looking at the platform: routes and workloads read, running workloads asked."""

import time
from collections.abc import Callable, Iterable, Mapping, Set
from dataclasses import replace
from uuid import UUID

from deployer.engine import Engine, Health, Readiness, Ref, ReportsUnreadable, Workload
from deployer.gateway import NO_ROUTE, Gateway, Route, Tag
from deployer.records.record import Record
from deployer.rollout.view import Observed, ServerView, to_probe

PROBE_S = 2.0
"""For all answers to one look, unless one of those that are asked may take longer."""

Chosen = Callable[[Record], bool]


class Observer:
    """Looks at one server or all, and remembers since when it has seen each workload ready."""

    def __init__(self, engine: Engine, gateway: Gateway) -> None:
        self._engine = engine
        self._gateway = gateway
        self._ready_since: dict[Ref, float] = {}

    def look(self, server: str, asked: bool = True) -> ServerView:
        """One server; its running workloads are asked, if at all, in the longest time that one of them may take."""
        view = self._settled(server)
        if asked:
            (view,) = self._probed([view], _longest_s(to_probe(view)))
        return replace(view, elsewhere=standing(self._read().values())) if _supersedes(view) else view

    def look_at_all(self, within_s: float = PROBE_S, chosen: Chosen | None = None) -> list[ServerView]:
        """Every server, or those of which a chosen record speaks, all asked in parallel under one deadline.

        Who may take longer than that, and does, is silent.
        """
        views = self.read_all()
        self._forget_all_but({view.server for view in views})
        if any(map(_supersedes, views)):
            stands = standing(views)
            views = [replace(view, elsewhere=stands) if _supersedes(view) else view for view in views]
        if chosen:
            views = [view for view in views if view.speaking and chosen(view.speaking.workload.record)]
        return self._probed(views, within_s)

    def read_all(self) -> list[ServerView]:
        """Every server as the platform describes it, none asked."""
        return list(self._read().values())

    def _read(self) -> dict[str, ServerView]:
        before = self._gateway.routes()
        views = _views(before, self._engine.list())
        after = self._gateway.routes()
        moved = {server for server, _ in _tags(before).items() ^ _tags(after).items()}
        return self._told_apart(views | {server: self._settled(server) for server in moved})

    def _settled(self, server: str) -> ServerView:
        """Route, list, route again: a route never names what the list has not, unless it moved in between."""
        while True:
            before = self._gateway.routes(server)
            workloads = self._engine.list(server)
            if _tags(before) == _tags(self._gateway.routes(server)):
                view = _view(server, before.get(server, NO_ROUTE), workloads)
                return self._told_apart({server: view})[server]

    def _told_apart(self, views: dict[str, ServerView]) -> dict[str, ServerView]:
        """A route to what is not listed leads nowhere, or to what a newer library made and only that can read."""
        nowhere = {server for server, view in views.items() if view.leads_nowhere}
        if not nowhere or not isinstance(self._engine, ReportsUnreadable):
            return views
        hidden = nowhere & {unreadable.server for unreadable in self._engine.unreadable()}
        return views | {server: replace(views[server], unreadable=True) for server in hidden}

    def _probed(self, views: list[ServerView], within_s: float) -> list[ServerView]:
        asked = [o for view in views for o in to_probe(view)]
        answers = self._engine.probe([o.workload for o in asked], within_s) if asked else {}
        if within_s >= _longest_s(asked):  # Who had less time than it may take has not said no.
            self._forget_unready({view.server for view in views}, answers)
        heard = {ref.server for ref in answers}
        return [self._answered(view, answers) if view.server in heard else view for view in views]

    def _answered(self, view: ServerView, answers: Mapping[Ref, Readiness]) -> ServerView:
        return replace(view, workloads=tuple([self._observed(o.workload, answers) for o in view.workloads]))

    def _observed(self, workload: Workload, answers: Mapping[Ref, Readiness]) -> Observed:
        ref, now = workload.ref, time.monotonic()
        answer = answers.get(ref)
        if answer is None or answer.health is not Health.READY:
            return Observed(workload, answer)
        since = self._ready_since.setdefault(ref, now)
        if since < now - workload.age_s:
            self._ready_since[ref] = since = now  # An earlier run of it was seen.
        return Observed(workload, answer, now - since)

    def _forget_unready(self, looked_at: Set[str], answers: Mapping[Ref, Readiness]) -> None:
        for ref in tuple(self._ready_since):
            answer = answers.get(ref)
            if ref.server in looked_at and (answer is None or answer.health is not Health.READY):
                self._ready_since.pop(ref, None)

    def _forget_all_but(self, servers: Set[str]) -> None:
        for ref in tuple(self._ready_since):
            if ref.server not in servers:
                self._ready_since.pop(ref, None)


def standing(views: Iterable[ServerView]) -> dict[UUID, int]:
    """The revision at which each server stands, by UUID; what serves in an unreadable one is not known."""
    speaking = (view.speaking for view in views if not view.unreadable)
    return {o.workload.record.uuid: o.revision for o in speaking if o}


def _longest_s(asked: Iterable[Observed]) -> float:
    return max([PROBE_S, *(o.probes.timeout_s for o in asked)])


def _supersedes(view: ServerView) -> bool:
    return any(o.workload.record.supersedes for o in view.serving)


def _views(routes: Mapping[str, Route], workloads: Iterable[Workload]) -> dict[str, ServerView]:
    grouped: dict[str, list[Workload]] = {server: [] for server in routes}
    for workload in workloads:
        grouped.setdefault(workload.record.server, []).append(workload)
    return {server: _view(server, routes.get(server, NO_ROUTE), found) for server, found in grouped.items()}


def _view(server: str, route: Route, workloads: Iterable[Workload]) -> ServerView:
    return ServerView(server, route, tuple(map(Observed, sorted(workloads, key=lambda w: w.revision))))


def _tags(routes: Mapping[str, Route]) -> dict[str, Tag]:
    return {server: route.tag for server, route in routes.items()}
