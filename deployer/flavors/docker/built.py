"""The images that were built here, and what their builds left on an engine."""

import contextlib
import time
from collections.abc import Iterator, Set
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from deployer.flavors.docker import labels
from deployer.flavors.docker.connection import Connection, instant
from deployer.flavors.docker.references import split
from deployer.flavors.docker.refusals import Gone, gone_is_fine, refusals
from deployer.flavors.docker.sweep import BROKEN_OFF_S, UNTOUCHED_S

FAILURE = "what builds left could not be cleared up"
LETS_GO_WITHIN_S = 5.0
"""The engine ends a build that nobody reads any more a little later."""


@dataclass(frozen=True)
class Built:
    """Those of one engine; only what is labelled as ours is removed, and never by force."""

    connection: Connection

    def touch(self, tag: str) -> None:
        """It is needed again: its day begins anew."""
        with contextlib.suppress(Gone), refusals(f"the image {tag} could not be tagged"):
            self.connection.api.tag(tag, *split(tag))

    def clear_up(self, token: str) -> None:
        """Remove what one build needed on its way; what cannot be had now is left to the sweep."""
        until = time.monotonic() + LETS_GO_WITHIN_S
        with contextlib.suppress(Exception):
            while self._remove_stages(f"{labels.BUILDING}={token}") and time.monotonic() < until:
                time.sleep(0.1)

    def sweep(self) -> None:
        """Remove what builds that were cut short left."""
        with refusals(FAILURE):
            told = self.connection.api.containers(all=True, filters={"label": [labels.BUILDING]})
        for one in told:
            if one["State"] != "running" and self._is_old(float(one["Created"]), BROKEN_OFF_S):
                with gone_is_fine(), refusals(FAILURE):
                    self.connection.api.remove_container(one["Id"])
        self._remove_stages(labels.BUILDING, BROKEN_OFF_S)

    def collect(self, keep: Set[str], untouched_s: float = UNTOUCHED_S) -> None:
        """Remove the images that nobody needed for so long and no container has.

        Args:
            keep: ids of those that stay.
        """
        for image in self._unused(keep):
            if self._is_old(self._touched(image["Id"]), untouched_s):
                for name in image["RepoTags"] or [image["Id"]]:
                    self._remove(image["Id"] if name == "<none>:<none>" else name)

    def _unused(self, keep: Set[str]) -> Iterator[dict[str, Any]]:
        with refusals(FAILURE):
            images = self.connection.api.images(filters={"label": labels.BUILT})
            in_use = {one["ImageID"] for one in self.connection.api.containers(all=True)} if images else set()
        yield from (image for image in images if image["Id"] not in keep | in_use)

    def _touched(self, id: str) -> float:
        """When it was last tagged, or else made."""
        try:
            with refusals(FAILURE):
                told: dict[str, Any] = self.connection.api.inspect_image(id)  # type: ignore[no-untyped-call]
        except Gone:
            return float("inf")
        tagged = (told.get("Metadata") or {}).get("LastTagTime") or ""
        return max(instant(told["Created"]), instant(tagged) if tagged else 0.0)

    def _remove_stages(self, label: str, patience_s: float = 0.0) -> bool:
        """Whether some are in use still."""
        with refusals(FAILURE):
            told = self.connection.api.images(filters={"label": label, "dangling": True})
        old = [image["Id"] for image in told if self._is_old(float(image["Created"]), patience_s)]
        return not all([self._remove(id) for id in old])

    def _remove(self, name: str) -> bool:
        """Whether it is gone."""
        from docker.errors import APIError

        try:
            self.connection.api.remove_image(name)
        except APIError as error:
            if error.status_code == HTTPStatus.CONFLICT:
                return False
            with gone_is_fine(), refusals(FAILURE):
                raise
        return True

    def _is_old(self, made: float, patience_s: float) -> bool:
        return self.connection.now() - made >= patience_s
