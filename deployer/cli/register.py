"""`flavor register`: somebody else's deployer becomes a Block type on the Prefect server."""

import inspect
from importlib import import_module
from typing import Annotated, Any

import typer

from deployer.cli.options import Json
from deployer.cli.session import session_of
from deployer.cli.terminal import print_json, say
from deployer.errors import InvalidRequest, UnknownName

ClassPath = Annotated[str, typer.Argument(metavar="CLASS", help="Where it is: package.module.TheirDeployer.")]


def register(ctx: typer.Context, *, path: ClassPath, as_json: Json = False) -> None:
    """Make a deployer of somebody else's a Block type, for Prefect's UI, flows and -d.

    Its distribution must be installed wherever it is used, and name it as a flavor. Registered again, it takes over
    what has changed in its settings.

    With --json: flavor, class, block_type and server.
    """
    from deployer.cli.setup.prefect_server import shown_url

    session = session_of(ctx, as_json)
    deployer = _deployer(path)
    _require_installed(deployer, path)
    slug = _registered(deployer.FLAVOR)
    if session.as_json:
        print_json({"flavor": deployer.FLAVOR, "class": path, "block_type": slug, "server": shown_url()})
        return
    say(f"The flavor {deployer.FLAVOR} is registered at {shown_url()} as the Block type {slug}.", "green")
    say(f"Save one in Prefect's UI under Blocks, or from Python; then `model-deployer -d {slug}/NAME` takes it.")


def _deployer(path: str) -> Any:
    """The class of that path.

    Raises:
        UnknownName: it cannot be imported.
        InvalidRequest: it is no whole deployer.
    """
    module, _, name = path.rpartition(".")
    try:
        found = getattr(import_module(module), name)
    except (ImportError, AttributeError, TypeError, ValueError) as error:
        raise UnknownName(
            f"{path} cannot be imported: {error}.", hint="Write package.module.Class of a package that is installed."
        ) from None
    if lacks := _lacks(found):
        raise InvalidRequest(f"{path} is no whole deployer: {lacks}.", hint="docs/flavors.md walks through one.")
    return found


def _lacks(found: Any) -> str:
    from pydantic import BaseModel

    from deployer.base import BaseModelDeployer

    if not (inspect.isclass(found) and issubclass(found, BaseModelDeployer)):
        return "it is no subclass of deployer.BaseModelDeployer"
    if inspect.isabstract(found):
        return f"it leaves out {', '.join(sorted(found.__abstractmethods__))}"
    if not isinstance(getattr(found, "FLAVOR", None), str):
        return "FLAVOR is no text"
    settings = getattr(found, "SETTINGS", None)
    return "" if inspect.isclass(settings) and issubclass(settings, BaseModel) else "SETTINGS is no pydantic model"


def _require_installed(deployer: Any, path: str) -> None:
    """A worker knows only what an entry point names.

    Raises:
        InvalidRequest: none names it by its flavor.
    """
    from deployer.references import FLAVORS, flavors

    entry = flavors().get(deployer.FLAVOR)
    if entry is None or entry.load() is not deployer:
        module, _, name = path.rpartition(".")
        raise InvalidRequest(
            f"No installed distribution names {path} as the flavor {deployer.FLAVOR}, so no worker would find it.",
            hint=f'Write [project.entry-points."{FLAVORS}"] {deployer.FLAVOR} = "{module}:{name}" into its '
            "pyproject.toml, and install it.",
        )


def _registered(flavor: str) -> str:
    from prefect.blocks.core import Block, UnknownBlockType

    from deployer.cli.setup.prefect_server import prefect_client, require_server
    from deployer.prefect_block import block_type

    require_server()
    slug = block_type(flavor)
    try:
        with prefect_client():
            block: Any = Block.get_block_class_from_key(slug)
            block.register_type_and_schema(_sync=True)
    except UnknownBlockType:
        raise UnknownName(
            f"There is no Block type {slug} to register.",
            hint="Its distribution has Blocks of its own (prefect.collections); one of them must have that slug.",
        ) from None
    return slug
