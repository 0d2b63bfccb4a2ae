"""What must hold after every scenario, seen from outside; each violation is a sentence."""

from collections import defaultdict
from collections.abc import Iterator, Sequence

from deployer.engine import Phase, Wanted, Workload
from deployer.engine_deployer import EngineModelDeployer
from deployer.gateway import NO_ROUTE, Route
from deployer.rollout.plan import back_off_s, given_up
from deployer.rollout.view import Observed


def violations(deployer: EngineModelDeployer) -> list[str]:
    """What does not hold, of a platform on which nobody is at work."""
    return [
        *(text for server in _servers(deployer) for text in _of_server(*server)),
        *(f"cannot be read: {unreadable}" for unreadable in deployer.unreadable()),
    ]


def silences(deployer: EngineModelDeployer) -> list[str]:
    """What should serve and cannot, once a reconcile came to its end and nothing died since."""
    return [text for server in _servers(deployer) for text in _of_wanted(*server)]


def _servers(deployer: EngineModelDeployer) -> list[tuple[Route, Sequence[Workload]]]:
    routes, workloads = deployer.gateway.routes(), defaultdict[str, list[Workload]](list)
    for workload in deployer.engine.list():
        workloads[workload.ref.server].append(workload)
    return [(routes.get(server, NO_ROUTE), workloads[server]) for server in sorted({*routes, *workloads})]


def _of_server(route: Route, workloads: Sequence[Workload]) -> Iterator[str]:
    if not workloads:
        yield f"a route without a workload: {route}"
    if len(route.split) > 1:
        yield f"more than one revision takes requests: {route}"
    revisions = {workload.revision for workload in workloads}
    yield from (f"routed to a revision that is gone: {b}" for b in route.split if b.revision not in revisions)
    for workload in workloads:
        yield from _of_workload(route, workload, workloads)


def _of_workload(route: Route, workload: Workload, workloads: Sequence[Workload]) -> Iterator[str]:
    routed, runs = route.names(workload.revision), workload.phase is Phase.RUNNING
    if routed and workload.wanted is Wanted.REFUSED:
        yield f"a refused revision takes requests: {workload}"
    if runs and not route.address_of(workload.revision):
        yield f"runs and takes no requests: {workload}"
    if runs and workload.wanted is not Wanted.RUNNING:
        yield f"runs and should not: {workload}"
    if route.split and not routed and not _is_kept(route, workload, workloads):
        yield f"left over: {workload}"


def _is_kept(route: Route, workload: Workload, workloads: Sequence[Workload]) -> bool:
    """The newest refused revision stays until a later one serves."""
    highest = max(w.revision for w in workloads)
    served = max(b.revision for b in route.split)
    return workload.wanted is Wanted.REFUSED and workload.revision == highest > served


def _of_wanted(route: Route, workloads: Sequence[Workload]) -> Iterator[str]:
    """Of what is marked running: it runs and is routed, unless it died so often that it rests."""
    for workload in (w for w in workloads if w.wanted is Wanted.RUNNING and not _rests(w)):
        address = route.address_of(workload.revision)
        if workload.phase is not Phase.RUNNING:
            yield f"should run and does not: {workload}"
        if not route.names(workload.revision):
            yield f"should serve and is not routed, by {route}: {workload}"
        elif not address:
            yield f"should serve and its URL says that it is stopped, by {route}: {workload}"
        elif address != workload.address:
            yield f"should serve at {workload.address}, and is routed to {address}: {workload}"


def _rests(workload: Workload) -> bool:
    observed = Observed(workload)
    return given_up(observed) or back_off_s(observed) > 0
