"""What the run says of itself; the flow and task are real, and so are Prefect's contexts."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from uuid import UUID, uuid4

from prefect import flow, task
from prefect.client.schemas.objects import FlowRun, TaskRun
from prefect.context import FlowRunContext, TaskRunContext

from deployer.config import Provenance
from deployer.provenance import current, request_id

RUN, OTHER_RUN = uuid4(), uuid4()


@flow(name="Train churn")
def train() -> None:
    """Never called."""


@task(name="Deploy")
def deploy() -> None:
    """Never called."""


@contextmanager
def running(run: UUID = RUN, *, in_flow: bool = True, in_task: bool = True) -> Iterator[None]:
    """As within a run, but without a Prefect server."""
    with ExitStack() as stack:
        if in_flow:
            flow_run = FlowRun(id=run, flow_id=uuid4(), name="lazy-gecko")
            stack.enter_context(context(FlowRunContext, flow=train, flow_run=flow_run))
        if in_task:
            task_run = TaskRun(id=uuid4(), task_key="Deploy", dynamic_key="0", name="Deploy-3a1", flow_run_id=run)
            stack.enter_context(context(TaskRunContext, task=deploy, task_run=task_run))
        yield


def context(kind: Any, **fields: Any) -> Any:
    """Without the clients and stores that only a server could give."""
    return kind.model_construct(**fields)


def test_outside_of_runs_there_is_none() -> None:
    assert current() is None


def test_a_task_of_a_flow_has_all_three() -> None:
    with running():
        assert current() == Provenance(
            pipeline_name="Train churn", pipeline_run_id=str(RUN), pipeline_step_name="Deploy"
        )


def test_a_flow_alone_has_no_step() -> None:
    with running(in_task=False):
        assert current() == Provenance(pipeline_name="Train churn", pipeline_run_id=str(RUN))


def test_a_task_that_runs_elsewhere_knows_its_flow_run() -> None:
    with running(in_flow=False):
        assert current() == Provenance(pipeline_run_id=str(RUN), pipeline_step_name="Deploy")


def test_a_run_and_its_retry_ask_for_the_same() -> None:
    with running():
        first = request_id("config")
    with running():
        assert request_id("config") == first


def test_another_run_task_or_wish_asks_for_something_else() -> None:
    with running():
        ids = [request_id("config"), request_id("another")]
    with running(OTHER_RUN):
        ids.append(request_id("config"))
    with running(in_task=False):
        ids.append(request_id("config"))
    assert len(set(ids)) == 4


def test_a_retried_task_of_no_flow_asks_for_the_same_and_another_one_does_not() -> None:
    ids = []
    for task_run_id in (RUN, RUN, OTHER_RUN):
        task_run = TaskRun(id=task_run_id, task_key="Deploy", dynamic_key="0", name="Deploy-3a1")
        with context(TaskRunContext, task=deploy, task_run=task_run):
            ids.append(request_id("config"))
    assert ids[0] == ids[1] != ids[2]


def test_outside_of_runs_each_request_is_its_own() -> None:
    assert request_id("config") != request_id("config")


def test_prefect_is_not_imported_for_it() -> None:
    program = "import sys; from deployer.provenance import current; print(current(), 'prefect' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "None False"
