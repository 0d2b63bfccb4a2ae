"""What `--json` prints; its keys are relied on, so they are only ever added to."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from deployer.base import BaseModelDeployer
    from deployer.engine import Unreadable
    from deployer.gateway import Traffic
    from deployer.prune import Leftover
    from deployer.records.record import HistoryEntry
    from deployer.rollout.reconcile import Report, ServerReport
    from deployer.rollout.steps import Progress, Step
    from deployer.server import ModelServer
    from deployer.sizes import Sizes


def server_shape(deployer: "BaseModelDeployer", server: "ModelServer") -> dict[str, Any]:
    """The keys of `get_model_server_info`, the revision as a number, and what stands below it; token is a reference."""
    return {
        **deployer.get_model_server_info(server),
        "revision": server.revision,
        "protocol": server.protocol,
        "created_at": server.created_at.isoformat(),
        "deployed_at": server.deployed_at.isoformat(),
        "config": server.config.model_dump(mode="json"),
        "token": server.token or None,
    }


def unreadable_shape(found: Sequence["Unreadable"]) -> list[dict[str, Any]]:
    """Each: where, reason."""
    return [{"where": thing.where, "reason": thing.reason} for thing in found]


def revision_shape(entry: "HistoryEntry") -> dict[str, Any]:
    """number, origin, outcome, reason, cause, digest, created_at, config, environment and image.

    environment is key, python and needs, image is reference, id and port; null where there is none.
    """
    return entry.model_dump(mode="json")


def traffic_shape(traffic: "Traffic | None") -> dict[str, Any] | None:
    """requests, errors, answers (by class of status), p50_s, p95_s, p99_s; null where nothing was counted."""
    if traffic is None:
        return None
    return {"requests": traffic.requests, "errors": traffic.errors, **asdict(traffic)}


def sizes_shape(sizes: "Sizes") -> dict[str, Any]:
    """model_bytes, log_bytes; null where they are not known."""
    return {"model_bytes": sizes.model, "log_bytes": sizes.log}


def leftover_shape(leftover: "Leftover", removed: bool) -> dict[str, Any]:
    """kind, where, bytes, removed."""
    return {"kind": leftover.kind, "where": str(leftover.path), "bytes": leftover.bytes, "removed": removed}


def step_shape(step: "Step") -> dict[str, Any]:
    """action, workload, cause."""
    return {"action": str(step.action), "workload": str(step.ref) if step.ref else None, "cause": step.cause}


def report_shape(report: "Report") -> dict[str, Any]:
    """servers, each: name, uuid, steps (each with seconds too), pending, error; troubles, in words."""
    return {"servers": [_server_report_shape(one) for one in report.servers], "troubles": list(report.troubles)}


def _server_report_shape(report: "ServerReport") -> dict[str, Any]:
    return {
        "name": report.name,
        "uuid": str(report.uuid) if report.uuid else None,
        "steps": [_done_shape(progress) for progress in report.steps],
        "pending": report.pending or None,
        "error": report.error or None,
    }


def _done_shape(progress: "Progress") -> dict[str, Any]:
    return {**step_shape(progress.step), "seconds": round(progress.seconds or 0, 3)}
