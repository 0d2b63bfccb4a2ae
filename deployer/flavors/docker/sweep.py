"""Clears up what creations and fills that were cut short left on an engine."""

from collections.abc import Set
from dataclasses import dataclass
from typing import Any

from deployer.flavors.docker import labels
from deployer.flavors.docker.connection import instant
from deployer.flavors.docker.containers import Containers, Described
from deployer.flavors.docker.refusals import gone_is_fine, refusals
from deployer.flavors.docker.rows import Row

BROKEN_OFF_S = 300.0
"""Longer than anything takes from one of its calls to the next; a fill keeps its helper open."""
UNTOUCHED_S = 24 * 3600.0
FAILURE = "what is left over could not be cleared up"


@dataclass(frozen=True)
class Sweeper:
    """Removes only what is labelled as ours, and names nobody."""

    containers: Containers

    def sweep(self) -> None:
        """Helpers that nobody uses, the younger of two workloads with one number, notes of workloads that are gone."""
        rows = self.containers.rows()
        kept = {row.id for row, _ in self.containers.chosen(rows)}
        created = [
            row for row in rows if row.state == "created" and isinstance(self.containers.described(row), Described)
        ]
        spare = [row.id for row in created if row.id not in kept and self._is_old(row.created, BROKEN_OFF_S)]
        for container in [*self._helpers(), *spare]:
            self._remove_container(container)
        self._remove_volumes(self._stale_notes({row.token for row in rows}))

    def collect(self, keep: Set[str], untouched_s: float = UNTOUCHED_S) -> None:
        """Volumes of models whose digest is not in `keep` and that are older; one in use stays.

        What cannot be read may name any model.
        """
        others = [told for told in self._volumes(labels.DIGEST) if told["Labels"][labels.DIGEST] not in keep]
        spare = [told["Name"] for told in others if self._is_old(_made(told), untouched_s)]
        if spare and not self.containers.unreadable():
            self._remove_volumes(spare)

    def _is_broken_off(self, row: Row) -> bool:
        is_ours = isinstance(self.containers.described(row), Described)
        return is_ours and row.state == "created" and self._is_old(row.created, BROKEN_OFF_S)

    def _helpers(self) -> list[str]:
        with refusals(FAILURE):
            told = self.containers.connection.api.containers(all=True, filters={"label": [labels.HELPER]})
        unused = (one for one in told if one["State"] == "created")
        return [one["Id"] for one in unused if self._is_old(float(one["Created"]), BROKEN_OFF_S)]

    def _stale_notes(self, tokens: Set[str]) -> list[str]:
        told = self._volumes(labels.NOTE)
        return [
            volume["Name"]
            for volume in told
            if volume["Labels"][labels.NOTE] not in tokens and self._is_old(_made(volume), BROKEN_OFF_S)
        ]

    def _volumes(self, label: str) -> list[dict[str, Any]]:
        with refusals(FAILURE):
            return self.containers.connection.api.volumes(filters={"label": [label]}).get("Volumes") or []

    def _remove_container(self, container: str) -> None:
        with gone_is_fine(), refusals(FAILURE):
            self.containers.connection.api.remove_container(container)

    def _remove_volumes(self, names: list[str]) -> None:
        from docker.errors import APIError

        for name in names:
            try:
                self.containers.connection.api.remove_volume(name)
            except APIError as error:
                if error.status_code not in (404, 409):  # Gone, or in use.
                    with refusals(FAILURE):
                        raise

    def _is_old(self, made: float, patience_s: float) -> bool:
        return self.containers.connection.now() - made > patience_s


def _made(volume: dict[str, Any]) -> float:
    """Seconds since the epoch; now, where the engine does not say."""
    return instant(volume["CreatedAt"]) if volume.get("CreatedAt") else float("inf")
