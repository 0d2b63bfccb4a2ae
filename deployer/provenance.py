"""Which Prefect run asks for something."""

import hashlib
import secrets
import sys
from typing import TYPE_CHECKING, Any

from deployer.config import Provenance

if TYPE_CHECKING:
    from types import ModuleType


def current() -> Provenance | None:
    """The flow, flow run and task that this runs in; None outside of runs."""
    prefect_context = _prefect_context()
    if prefect_context is None:
        return None
    flow_context, task_context = prefect_context.FlowRunContext.get(), prefect_context.TaskRunContext.get()
    if flow_context is None and task_context is None:
        return None
    return Provenance(
        pipeline_name=_name(flow_context, "flow"),
        pipeline_run_id=_flow_run_id(flow_context, task_context),
        pipeline_step_name=_name(task_context, "task"),
    )


def request_id(asked: str) -> str:
    """Names what is asked for, the same when a run or its retry asks again; random outside of runs.

    Args:
        asked: what is asked for, as text: a config's JSON.
    """
    run = current()
    if run is None:
        return secrets.token_hex(32)
    asker = run.pipeline_run_id or _task_run_id()
    return hashlib.sha256("\0".join([asker, run.pipeline_step_name, asked]).encode()).hexdigest()


def _task_run_id() -> str:
    """Of a task that is of no flow; a retry of it keeps it, while a flow's retry gives its tasks new ones."""
    prefect_context = _prefect_context()
    task_context = prefect_context.TaskRunContext.get() if prefect_context else None
    return str(getattr(getattr(task_context, "task_run", None), "id", None) or secrets.token_hex(32))


def _prefect_context() -> "ModuleType | None":
    """Within a run Prefect is loaded; to load it only to learn that there is no run would take seconds."""
    return sys.modules.get("prefect.context")


def _name(context: Any, part: str) -> str:
    return str(getattr(getattr(context, part, None), "name", None) or "")


def _flow_run_id(flow_context: Any, task_context: Any) -> str:
    """A task that runs elsewhere may have no flow's context, but knows its flow run's id."""
    flow_run, task_run = getattr(flow_context, "flow_run", None), getattr(task_context, "task_run", None)
    return str(getattr(flow_run, "id", None) or getattr(task_run, "flow_run_id", None) or "")
