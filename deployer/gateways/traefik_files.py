"""The folder of route files, one a server, and who may change them.

The proxy watches `routes/`, where one file it cannot load stops all later routes of all servers, and
a proxy started beside one answers 404 for all. So only whole route files of ours ever stand in it.
"""

import logging
import os
import secrets
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from deployer.gateway import NO_ROUTE, Route, Split, Tag
from deployer.gateways import traefik_access, traefik_certificate
from deployer.gateways.files import locked, remove_unfinished, replace_file, storage
from deployer.gateways.swap import require_unmoved, successor
from deployer.gateways.traefik_certificate import Certificate
from deployer.gateways.traefik_routes import SERVER, new_head, parsed, rendered, tag_of
from deployer.processes.files import content

LOCK_S = 5.0
BESIDE_ROUTES = (traefik_access.FILE_NAME, traefik_certificate.FILE_NAME)

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class RouteFiles:
    """All routes of one gateway, in `folder`."""

    folder: Path

    @cached_property
    def watched(self) -> Path:
        """The folder that is the proxy's alone."""
        return self.folder / "routes"

    @property
    def are_watched(self) -> bool:
        """Whether the folder is still the one that the proxy began to watch: what was put there first is there."""
        return self._certificate.exists()

    @property
    def _scratch(self) -> Path:
        return self.folder / "scratch"

    def path(self, server: str) -> Path:
        """Where the server's route is."""
        return self.watched / f"{server}.yml"

    def routes(self, server: str | None = None) -> dict[str, Route]:
        """All routes, or that of one server; a file that tells none is none."""
        with storage("read the routes"):
            servers = self._servers() if server is None else [server]
            found = {name: self._read(name) for name in servers}
        return {name: route for name, route in found.items() if route.tag}

    def tag(self, server: str) -> Tag:
        """The tag of the server's route; empty where there is none."""
        return self.routes(server).get(server, NO_ROUTE).tag

    def write(self, server: str, split: Split, high: int, seen: Tag) -> Tag:
        """Compare and swap; see `deployer.gateway.Gateway.write`."""
        self.make_folders()
        with storage(f"write the route of {server}"), self._locked(server):
            new = successor(server, self._read(server), split, high, seen)
            head = new_head(new.split, new.high)
            self._replace(server, rendered(server, head))
        return tag_of(head)

    def remove(self, server: str, seen: Tag) -> None:
        """Compare and remove; see `deployer.gateway.Gateway.remove`."""
        self.make_folders()
        with storage(f"remove the route of {server}"), self._locked(server):
            require_unmoved(server, self._read(server), seen)
            remove_unfinished(self.path(server), self._scratch)
            self.path(server).unlink(missing_ok=True)

    def make_folders(self) -> None:
        with storage("make the gateway's folders"):
            for name in ("routes", "locks", "scratch", "set-aside"):
                (self.folder / name).mkdir(parents=True, exist_ok=True)

    def provide(self, access: str | None, certificate: Certificate | None, *, open_at_first: bool) -> None:
        """What the proxy reads beside the routes, as `keep_up` writes it, and a certificate where there is none."""
        with storage("write what the gateway reads beside its routes"):
            if certificate is None and not self._certificate.exists():
                certificate = traefik_certificate.unseen(self.folder, self._scratch)
            self.keep_up(access, certificate, open_at_first=open_at_first)

    def keep_up(self, access: str | None, certificate: Certificate | None, *, open_at_first: bool) -> None:
        """Write what has changed since: the token, the certificate, or the content of the certificate's files.

        Args:
            access: the entry of the token; None: who may call stays as it is.
            certificate: None: it stays the one that it is.
            open_at_first: whether everybody may call where nothing says yet who may. Until something does, no route
                answers: each names the file that says so.
        """
        with storage("write what the gateway reads beside its routes"):
            self.make_folders()
            if access is not None or open_at_first:
                self._let_in(access)
            present = _text(self._certificate)
            certificate = certificate or traefik_certificate.told_by(present)
            if certificate:
                certificate.require_usable()
                self._write(self._certificate, certificate.told)

    @property
    def access(self) -> str:
        """The entry of the token that callers must show; empty where they need none."""
        with storage("read whom the gateway lets in"):
            return traefik_access.entry_in(_text(self._access))

    def _let_in(self, access: str | None) -> None:
        """Who shows that token; None: everybody, unless something says already who may call."""
        if self._write(self._access, traefik_access.rendered(access or ""), replace=access is not None):
            self.tidy()  # Routes that an older library wrote ask for none.

    @property
    def _access(self) -> Path:
        return self.watched / traefik_access.FILE_NAME

    @property
    def _certificate(self) -> Path:
        return self.watched / traefik_certificate.FILE_NAME

    def _write(self, path: Path, text: str, replace: bool = True) -> bool:
        """Whether anything had to be written; what is there stays unless it is to be replaced."""
        with locked(self.folder / "locks" / path.name, LOCK_S):
            present = _text(path)
            if present == text or (present and not replace):
                return False
            replace_file(path, text, self._scratch)
            return True

    def unloadable(self) -> list[Path]:
        """What lies in the watched folder and is not a route file as we write it."""
        with storage("read the routes"):
            found = sorted(self.watched.iterdir()) if self.watched.is_dir() else []
            return [path for path in found if path.name not in BESIDE_ROUTES and not self._is_ours_and_whole(path)]

    def foreign(self) -> list[Path]:
        """What lies in the watched folder and tells no route."""
        return [path for path in self.unloadable() if not (_is_a_route_file(path) and parsed(_text(path)))]

    def tidy(self) -> None:
        """Leave nothing in the watched folder but whole route files of ours.

        A file whose first line tells a route is written anew from it; anything else is set aside.
        """
        for path in self.unloadable():
            with storage(f"tidy {path}"):
                self._restore_or_set_aside(path)

    def _restore_or_set_aside(self, path: Path) -> None:
        if not _is_a_route_file(path):
            return self._set_aside(path)
        with self._locked(path.stem):
            text = _text(path)
            if parsed(text):
                self._replace(path.stem, rendered(path.stem, text.partition("\n")[0]))
            elif path.exists():
                self._set_aside(path)

    def _set_aside(self, path: Path) -> None:
        aside = self.folder / "set-aside" / f"{path.name}.{secrets.token_hex(4)}"
        path.rename(aside)
        logger.warning("%s is not a route of ours: set aside as %s", path, aside)

    def _is_ours_and_whole(self, path: Path) -> bool:
        if not _is_a_route_file(path):
            return False
        text = _text(path)
        return not path.exists() or (bool(parsed(text)) and text == rendered(path.stem, text.partition("\n")[0]))

    def _servers(self) -> list[str]:
        with suppress(FileNotFoundError), os.scandir(self.watched) as entries:
            return sorted(entry.name.removesuffix(".yml") for entry in entries if _is_a_route_file(entry))
        return []

    def _read(self, server: str) -> Route:
        return parsed(_text(self.path(server))) or NO_ROUTE

    def _replace(self, server: str, text: str) -> None:
        replace_file(self.path(server), text, self._scratch)

    def _locked(self, server: str) -> AbstractContextManager[None]:
        return locked(self.folder / "locks" / server, LOCK_S)


def _is_a_route_file(path: "Path | os.DirEntry[str]") -> bool:
    return path.name.endswith(".yml") and bool(SERVER.fullmatch(path.name.removesuffix(".yml"))) and not path.is_dir()


def _text(path: Path) -> str:
    try:
        return content(path).decode(errors="replace")
    except FileNotFoundError:
        return ""
