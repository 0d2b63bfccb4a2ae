"""Run the demo: `python -m examples.demo [--deployer docker] [--keep]`."""

import argparse
import contextlib
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console
from rich.table import Table

from examples.demo import prepared
from examples.demo.prefect_server import prefect_server

if __name__ == "__main__":
    from examples.demo.acts import Played

TITLE = "A model server through its life, requests without pause"


def main() -> int:
    """Play all acts; 0 if everything was as it should be."""
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m examples.demo")
    parser.add_argument("--keep", action="store_true", help="leave everything running afterwards, to look at")
    parser.add_argument("--deployer", choices=("process", "docker"), default="process", help="where models are served")
    asked = parser.parse_args()
    keep = asked.keep
    began = time.monotonic()
    with _folder(keep) as folder, prefect_server(folder, _prepared(folder), keep) as api_url:
        from examples.demo.story import tell  # Prefect reads its settings when it is imported

        acts = tell(folder, api_url, keep, asked.deployer)
        _show(acts)
        if keep:
            _say_how_to_look(folder, api_url, asked.deployer)
    print(f"The demo took {time.monotonic() - began:.0f} s.")
    return 1 if any(one.wrong for one in acts) else 0


@contextlib.contextmanager
def _folder(keep: bool) -> Iterator[Path]:
    if keep:
        yield Path(tempfile.mkdtemp(prefix="model-deployer-demo-"))
        return
    with tempfile.TemporaryDirectory(prefix="model-deployer-demo-") as folder:
        yield Path(folder)


def _prepared(folder: Path) -> bool:
    """Whether `make setup` left empty databases to begin with; without, the demo makes its own and takes longer."""
    return prepared.copy(Path(sys.prefix) / "demo", folder)


def _show(acts: "list[Played]") -> None:
    table = Table("act", "requests", "failed", "answered by", "seconds", "", title=TITLE, title_justify="left")
    for one in acts:
        seconds = f"{one.act.ended - one.act.began:.1f}"
        remark = f"[red]{one.wrong}[/red]" if one.wrong else one.act.remark
        if one.failed and not one.wrong:
            remark += f"; {one.outage_s:.1f} s of outage"
        table.add_row(one.act.name, str(len(one.requests)), str(len(one.failed)), one.revisions, seconds, remark)
    Console(width=None if sys.stdout.isatty() else 140).print(table)


def _say_how_to_look(folder: Path, api_url: str, flavor: str) -> None:
    print(
        f"Everything still runs. To look at it:\n"
        f"  export MODEL_DEPLOYER={flavor} MODEL_DEPLOYER_STATE_DIR={folder}/state PREFECT_API_URL={api_url}\n"
        f"  {Path(sys.executable).parent}/model-deployer list\n"
        f"  {api_url.removesuffix('/api')}/v2 in a browser shows the flow runs and the server's card\n"
        f"To end it: model-deployer delete demo-digits; then end the Prefect server and Traefik, of {folder}"
    )


if __name__ == "__main__":
    sys.exit(main())
