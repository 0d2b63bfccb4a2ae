"""Checks of what is installed."""

import platform
import sys
from collections.abc import Callable, Iterable
from importlib.machinery import PathFinder
from importlib.metadata import PackageNotFoundError, metadata, requires, version
from pathlib import Path

import deployer
from deployer.cli.doctor.finding import Finding, fail, info, ok, warn
from deployer.cli.session import Session

DISTRIBUTION = "prefect-model-deployer"
FOR_DEVELOPERS = frozenset({"dev", "demo"})
OF_THE_DEFAULT_RUNTIME = "mlflow"
WHY = {
    "fastapi": "Prefect's server breaks with later ones",
    "sqlalchemy": "with later ones the scheduler of Prefect's server dies silently, and no schedule creates a run",
}
OUR_FOLDERS = ("flows", "blocks")
Installed = Callable[[str], str | None]


def python(session: Session) -> Finding:
    """Which Python runs, and whether it will do."""
    from packaging.specifiers import SpecifierSet

    running, wanted = platform.python_version(), metadata(DISTRIBUTION)["Requires-Python"]
    what = f"Python {running} at {sys.executable}, {DISTRIBUTION} {version(DISTRIBUTION)}."
    if running in SpecifierSet(wanted, prereleases=True):
        return ok(what)
    return fail(f"{what} It needs Python {wanted}.", "Make a virtual environment with such a Python.")


def packages(session: Session) -> Finding:
    """Whether what is installed beside us is what we need."""
    return unmet(needed(requires(DISTRIBUTION) or [], ""), installed_version)


def extras(session: Session) -> Finding:
    """Which of the optional parts can be used."""
    names = [name for name in metadata(DISTRIBUTION).get_all("Provides-Extra") or [] if name not in FOR_DEVELOPERS]
    return usable(names, requires(DISTRIBUTION) or [], installed_version)


def flavors(session: Session) -> Finding:
    """Whether every flavor that is installed can be imported."""
    from deployer.references import flavors as installed_flavors

    broken = []
    for name, entry in sorted(installed_flavors().items()):
        try:
            entry.load()
        except Exception as error:
            broken.append(f"{name} ({type(error).__name__}: {error})")
    if broken:
        return fail(f"Flavors that cannot be imported: {', '.join(broken)}.", "Mend or uninstall what brings them.")
    return ok(f"Flavors: {', '.join(sorted(installed_flavors()))}.")


def import_path(session: Session) -> Finding:
    """Whether a worker that is started in this folder finds our flows and blocks."""
    return shadowed(Path(deployer.__path__[0]).parent, [str(Path.cwd()), *sys.path])


def unmet(requirements: Iterable[str], installed: Installed) -> Finding:
    """Whether those requirements are met, and if not, what breaks."""
    wrong = [text for text in (_wrong(requirement, installed) for requirement in requirements) if text]
    if not wrong:
        return ok("Every package has a version that is known to work.")
    return fail(f"Packages do not fit: {'; '.join(wrong)}.", f"pip install --upgrade {DISTRIBUTION}")


def usable(extras_: Iterable[str], requirements: Iterable[str], installed: Installed) -> Finding:
    """Which extras have all that they require."""
    listed = list(requirements)
    missing = {extra: [r for r in needed(listed, extra) if _wrong(r, installed)] for extra in extras_}
    there = ", ".join(extra for extra, lacks in missing.items() if not lacks) or "none"
    lacking = [extra for extra, lacks in missing.items() if lacks]
    if not lacking:
        return ok(f"Extras that are installed: {there}.")
    what = f"Extras that are installed: {there}; not installed: {', '.join(lacking)}."
    how = f"pip install '{DISTRIBUTION}[{','.join(lacking)}]'"
    if OF_THE_DEFAULT_RUNTIME in lacking:
        return warn(f"{what} Without {OF_THE_DEFAULT_RUNTIME} the default runtime serves nothing.", how)
    return info(what, f"If you need them: {how}")


def needed(requirements: Iterable[str], extra: str) -> list[str]:
    """The requirements of one extra, or those without any, that hold on this machine."""
    from packaging.requirements import Requirement

    chosen = []
    for text in requirements:
        one = Requirement(text)
        always = one.marker is None or one.marker.evaluate({"extra": ""})
        if always is not bool(extra) and (always or (one.marker and one.marker.evaluate({"extra": extra}))):
            chosen.append(text)
    return chosen


def shadowed(ours: Path, path: list[str]) -> Finding:
    """Whether something on an import path stands before what lies in `ours`."""
    for folder in OUR_FOLDERS:
        spec = PathFinder.find_spec(folder, path)
        if spec is None or spec.submodule_search_locations is None or spec.origin is not None:
            where = spec.origin if spec else "nothing"
            return fail(
                f"`import {folder}` leads to {where}, and hides {ours / folder}.",
                "Remove the __init__.py there, so that both merge, rename it, or start the worker in another folder.",
            )
        for module in sorted((ours / folder).glob("*.py")):
            found = PathFinder.find_spec(f"{folder}.{module.stem}", list(spec.submodule_search_locations))
            if found is None or found.origin is None or Path(found.origin).resolve() != module.resolve():
                where = found.origin if found else "nothing"
                return fail(f"`import {folder}.{module.stem}` leads to {where}, not to {module}.", "Rename that one.")
    return ok(f"`flows` and `blocks` lead to {ours}, also from this folder.")


def installed_version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _wrong(requirement: str, installed: Installed) -> str:
    from packaging.requirements import Requirement

    one = Requirement(requirement)
    there = installed(one.name)
    if there is not None and one.specifier.contains(there, prereleases=True):
        return ""
    why = f" ({WHY[one.name]})" if one.name in WHY and there else ""
    return f"{one.name} {there or 'is not installed'}, needed is {one.specifier or 'any'}{why}"
