"""Finds what no record names any more, and removes it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from deployer import registry
from deployer.engine import ReportsUnreadable
from deployer.engine_deployer import EngineModelDeployer
from deployer.leftovers import HasLeftovers, Leftovers, size_of
from deployer.rollout.observe import Observer

UNTOUCHED_S = 3600.0
"""Longer than anything takes from its fetch to its record."""


@dataclass(frozen=True)
class Leftover:
    """One thing that nobody names, and what it takes on disk."""

    kind: str
    path: Path
    bytes: int


class Pruner:
    """Looks for what is left on one deployer's machine.

    Args:
        untouched_s: what somebody touched within so many seconds may be about to be named.
    """

    def __init__(self, deployer: EngineModelDeployer, untouched_s: float = UNTOUCHED_S) -> None:
        self._deployer = deployer
        self._untouched_s = untouched_s

    def found(self) -> list[Leftover]:
        """All that is left, kind by kind; looking changes nothing."""
        return [
            Leftover(kind.kind, path, size_of(path)) for kind in self._kinds() for path in kind.found(self._untouched_s)
        ]

    def remove(self, chosen: Sequence[Leftover]) -> list[Leftover]:
        """Remove those that nobody has come to need since they were found.

        Returns:
            Those that are gone.
        """
        for kind in self._kinds():
            wanted = {leftover.path for leftover in chosen if leftover.kind == kind.kind}
            for path in wanted.intersection(kind.found(self._untouched_s)) if wanted else ():
                kind.remove(path, self._untouched_s)
        return [leftover for leftover in chosen if not leftover.path.exists()]

    def _kinds(self) -> list[Leftovers]:
        deployer = self._deployer
        store = deployer.store
        others = [part for part in (deployer, deployer.engine, deployer.gateway) if isinstance(part, HasLeftovers)]
        return [
            Leftovers("model", self._unnamed_models, store.remove),
            Leftovers("broken-off copy", store.broken_off, store.remove_broken_off),
            *(kind for part in others for kind in part.leftovers()),
        ]

    def _unnamed_models(self, untouched_s: float) -> list[Path]:
        """None while something cannot be read: it may name any of them."""
        engine, store = self._deployer.engine, self._deployer.store
        unreadable = engine.unreadable() if isinstance(engine, ReportsUnreadable) else []
        views = Observer(engine, self._deployer.gateway).read_all()
        return (
            [] if unreadable else store.untouched(registry.kept_digests(views, self._deployer.keep_models), untouched_s)
        )
