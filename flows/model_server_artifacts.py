"""What the flows publish: a server's card, and the registry as a table."""

from collections.abc import Sequence
from typing import Any

from prefect.artifacts import create_markdown_artifact, create_table_artifact

from deployer.base import BaseModelDeployer
from deployer.client import curl, example_question
from deployer.gateway import TOKEN_USER, Traffic
from deployer.records.names import platform_name
from deployer.rollout.steps import Progress
from deployer.server import ModelServer
from deployer.traffic import known_traffic


def publish_card(deployer: BaseModelDeployer, server: ModelServer, steps: Sequence[Progress]) -> None:
    """Publish the server's card, under a key of its own, so that its versions tell its history."""
    traffic = known_traffic(deployer, [server]) or {}
    create_markdown_artifact(
        key=f"model-server-{platform_name(server.name)}",
        markdown=card(server, steps, traffic.get(server.uuid)),
        description=f"The model server {server.name}, revision {server.revision}.",
    )


def publish_registry(servers: Sequence[ModelServer]) -> None:
    """Publish the model servers as a table."""
    create_table_artifact(
        key="model-servers", table=[row(server) for server in servers], description="The model servers, newest first."
    )


def row(server: ModelServer) -> dict[str, Any]:
    """The server as a row of the registry."""
    return {
        "name": server.name,
        "state": str(server.state),
        "revision": server.revision,
        "model": server.config.model_name or server.config.model_uri,
        "type": server.model_type,
        "url": server.url,
        "flow": server.provenance.pipeline_name,
        "deployed": server.deployed_at.isoformat(timespec="seconds"),
        "message": server.message,
        "uuid": str(server.uuid),
    }


def card(server: ModelServer, steps: Sequence[Progress], traffic: Traffic | None = None) -> str:
    """The server in Markdown: what serves, where it came from, how to call it, and how it got there.

    Args:
        traffic: what passed through it since its route last changed, where something did and is known.
    """
    return "\n\n".join(
        [
            f"# {plain(server.name)}",
            f"<{server.url}> is **{server.state}**" + (f": {plain(server.message)}" if server.message else "."),
            _table(("", ""), [*_facts(server), *(_counted(traffic) if traffic else ())]),
            "## How to call it",
            _fenced("sh", curl(server)),
            _fenced("python", _python(server)),
            "## What was done",
            _table(("step", "cause", "seconds"), _done(steps)) if steps else "Nothing: it serves this already.",
        ]
    )


def plain(text: str) -> str:
    """Text that Markdown shows as it is, in a table too."""
    escaped = "".join(f"\\{character}" if character in "\\`*_[]<>|#~" else character for character in text)
    return " ".join(escaped.split())


def _facts(server: ModelServer) -> list[tuple[str, str]]:
    provenance = server.provenance
    facts = {
        "URL": server.url,
        "Predictions": server.prediction_url,
        "Revision": str(server.revision),
        "Model": server.config.model_name,
        "Model URI": server.config.model_uri,
        "Model type": server.model_type,
        "Digest": server.digest,
        "Token": server.token,
        "Runtime": server.config.runtime,
        "Flow": provenance.pipeline_name,
        "Flow run": provenance.pipeline_run_id,
        "Task": provenance.pipeline_step_name,
        "Deployed": server.deployed_at.isoformat(timespec="seconds"),
        "UUID": str(server.uuid),
    }
    return [(name, plain(value)) for name, value in facts.items() if value]


def _counted(traffic: Traffic) -> list[tuple[str, str]]:
    return [("Requests since its route changed", traffic.counts), ("How long they took", traffic.quantiles)]


def _python(server: ModelServer) -> str:
    shown = f", auth=({TOKEN_USER!r}, os.environ['TOKEN'])" if server.token else ""
    return "\n".join(
        [
            *(["import os", ""] if server.token else []),
            "import requests",
            "",
            f"question = {example_question(server)!r}",
            f"requests.post({server.prediction_url!r}, json=question{shown}, timeout=60).json()",
        ]
    )


def _done(steps: Sequence[Progress]) -> list[tuple[str, str, str]]:
    return [
        (plain(str(done.step)), plain(done.step.cause), f"{done.seconds:.2f}")
        for done in steps
        if done.seconds is not None
    ]


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _fenced(language: str, text: str) -> str:
    return f"```{language}\n{text}\n```"
