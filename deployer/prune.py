"""Finds what no record names any more, and removes it."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from deployer import registry
from deployer.engine import hides_names
from deployer.engine_deployer import EngineModelDeployer
from deployer.environments.store import Environments
from deployer.leftovers import HasLeftovers, Leftovers, size_of
from deployer.rollout.observe import Observer
from deployer.rollout.view import ServerView

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
        store, built = deployer.store, deployer.environments
        others = [part for part in (deployer, deployer.engine, deployer.gateway) if isinstance(part, HasLeftovers)]
        return [
            Leftovers("model", self._unnamed_models, store.remove),
            Leftovers("broken-off copy", store.broken_off, store.remove_broken_off),
            *(self._of_environments(built) if built else ()),
            *(kind for part in others for kind in part.leftovers()),
        ]

    def _of_environments(self, built: Environments) -> list[Leftovers]:
        return [
            Leftovers("environment", partial(self._unnamed_environments, built), built.remove),
            Leftovers("broken-off environment", built.broken_off, built.remove_broken_off),
        ]

    def _unnamed_models(self, untouched_s: float) -> list[Path]:
        if hides_names(self._deployer.engine):
            return []
        kept = registry.kept_digests(self._views(), self._deployer.keep_models)
        return self._deployer.store.untouched(kept, untouched_s)

    def _unnamed_environments(self, built: Environments, untouched_s: float) -> list[Path]:
        if hides_names(self._deployer.engine):
            return []
        kept = registry.kept_environments(self._views(), self._deployer.keep_models)
        return built.untouched(kept, untouched_s)

    def _views(self) -> list[ServerView]:
        return Observer(self._deployer.engine, self._deployer.gateway).read_all()
