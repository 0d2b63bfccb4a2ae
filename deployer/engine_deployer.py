"""The six methods, and what every engine deployer offers beside them, over an engine and a gateway."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import cached_property, partial
from uuid import UUID

from deployer import capabilities, provenance, registry
from deployer.clear_up import ClearUp
from deployer.config import ModelServerConfig
from deployer.engine import KeepsLogs, KeepsModels, Unreadable, unreadable_by
from deployer.errors import InvalidRequest, ServerNotFound, Unsupported
from deployer.flavor import Flavor
from deployer.gateway import MeasuresTraffic, Traffic
from deployer.prepare import Preparer
from deployer.records.history import rollback_target
from deployer.records.names import platform_name
from deployer.records.record import HistoryEntry
from deployer.rollout.claim import planned
from deployer.rollout.converge import Converger
from deployer.rollout.deploy import Deploy
from deployer.rollout.ensure import ensured
from deployer.rollout.execute import Executor
from deployer.rollout.identify import of_uuid
from deployer.rollout.lifecycle import DONE_WITHIN_S, Lifecycle
from deployer.rollout.observe import Observer
from deployer.rollout.platform import Platform
from deployer.rollout.reconcile import Report, StepsByServer, reconcile
from deployer.rollout.remember import history_of
from deployer.rollout.steps import OnProgress, Progress, Step
from deployer.rollout.view import Observed, ServerView
from deployer.rollout.wait import Deadline
from deployer.rollout.wish import Wish
from deployer.server import ModelServer, State

FOUND_WITHIN_S = 2.0
FOUND_RUNNING_WITHIN_S = 0.8
"""A list waits no longer for answers, whatever a config's probes allow: who takes longer is left out, or unknown."""

LOG_TAIL_LINES = 15


class EngineModelDeployer(Flavor):
    """Fulfils the contract with an engine, a gateway and a model store."""

    def deploy_model(self, config: ModelServerConfig, replace: bool = False, timeout: int = 300) -> ModelServer:
        deadline = _deadline(timeout)
        return self._deploy(self._preparer.new(config, replace, deadline.to_prepare), deadline)

    def find_model_server(
        self,
        running: bool = False,
        service_uuid: UUID | None = None,
        pipeline_name: str | None = None,
        pipeline_run_id: str | None = None,
        pipeline_step_name: str | None = None,
        model_name: str | None = None,
        model_uri: str | None = None,
        model_type: str | None = None,
    ) -> list[ModelServer]:
        filters = registry.Filters(
            service_uuid=service_uuid,
            pipeline_name=pipeline_name,
            pipeline_run_id=pipeline_run_id,
            pipeline_step_name=pipeline_step_name,
            model_name=model_name,
            model_uri=model_uri,
            model_type=model_type,
        )
        within_s = FOUND_RUNNING_WITHIN_S if running else FOUND_WITHIN_S
        views = self._observer.look_at_all(within_s, None if filters == registry.ALL else filters.match)
        found = [self._server(view) for view in views if view.workloads]
        return registry.newest_first([s for s in found if not running or s.state is State.READY])

    def stop_model_server(self, uuid: UUID, timeout: int = 300, force: bool = False) -> None:
        deadline = _deadline(timeout)
        self._lifecycle(deadline).stop(uuid, deadline, force)

    def start_model_server(self, uuid: UUID, timeout: int = 300) -> None:
        deadline = _deadline(timeout)
        view = self._find(uuid)
        if view.target:
            self._preparer.build_again(view.target.workload.record, deadline.to_prepare)
            self._lifecycle(deadline).start(view, deadline, self._log_tail)
            return
        cause = "started by its user, all its revisions being refused"
        request_id = provenance.request_id(f"start {uuid}")
        self._deploy_again(uuid, history_of(view)[-1], cause, request_id, deadline)

    def delete_model_server(self, uuid: UUID, timeout: int = 300, force: bool = False) -> None:
        deadline = _deadline(timeout)
        try:
            self._lifecycle(deadline).delete(uuid, deadline, force)
        except ServerNotFound:
            if not force:
                raise

    def rollback(self, uuid: UUID, revision: int | None = None, timeout: int = 300) -> ModelServer:
        """Serve an earlier revision's config and bytes again, as a new revision.

        Asked for twice by one task of one Prefect flow run it goes back once, as the second may be a retry of the
        first: name the revision to go back further.

        Args:
            revision: which; without it the newest that served before what serves now was first made.

        Raises:
            NothingToRollBackTo: there is none, or not that one.
            ModelGone: its bytes can no longer be had.
        """
        deadline = _deadline(timeout)
        view = self._find(uuid)
        assert view.speaking
        present = view.speaking.workload.record
        request_id = provenance.request_id(f"roll back {uuid} to {revision or 'the previous'}")
        if earlier := view.made_for(request_id):
            present, revision = earlier.workload.record, earlier.revision
        chosen = rollback_target(history_of(view), present.origin, present.name, revision)
        cause = f"rolled back from revision {present.revision} to {chosen.number}"
        return self._deploy_again(uuid, chosen, cause, request_id, deadline)

    def history(self, uuid: UUID) -> list[HistoryEntry]:
        """Up to ten revisions, oldest first, with what became of each."""
        return list(history_of(self._find(uuid)))

    def logs(self, uuid: UUID, follow: bool = False, tail: int = 100, revision: int | None = None) -> Iterator[str]:
        """The last lines of what serves (of the newest revision where nothing does), or of one revision.

        Raises:
            ServerNotFound: no server has that UUID, or it keeps nothing of that revision any more.
        """
        view = self._find(uuid)
        kept = {o.revision: o for o in view.workloads}
        chosen = view.speaking if revision is None else kept.get(revision)
        if chosen is None:
            numbers = ", ".join(map(str, kept))
            raise ServerNotFound(f"No log of revision {revision} is kept.", hint=f"Kept are those of: {numbers}.")
        if not isinstance(self.engine, KeepsLogs):
            raise Unsupported(f"The flavor {self.FLAVOR} keeps no logs.")
        return self.engine.log(chosen.ref, tail, follow)

    def traffic(self, servers: Iterable[ModelServer] | None = None) -> dict[UUID, Traffic]:
        """What the gateway counted of each server since its route last changed, by UUID; all in one look at it.

        Servers that nobody called since are left out, all of them where the gateway does not count.

        Args:
            servers: those that are meant; None: all there are, for which the platform is looked at once more.

        Raises:
            GatewayDown: it does not answer.
        """
        if not isinstance(self.gateway, MeasuresTraffic):
            return {}
        counted = self.gateway.traffic()
        known = self._uuids() if servers is None else {platform_name(server.name): server.uuid for server in servers}
        return {known[server]: traffic for server, traffic in counted.items() if server in known}

    def _uuids(self) -> dict[str, UUID]:
        speaking = {view.server: view.speaking for view in self._observer.read_all()}
        return {server: o.workload.record.uuid for server, o in speaking.items() if o}

    def reconcile(self, timeout: int = 300) -> Report:
        """Bring every server to what it should be: finish rollouts, bring back what died, remove what is left over.

        A gateway that runs goes on as it is where its token or certificate cannot be had; the report tells of it.

        Raises:
            GatewayDown: the gateway does not come up.
            InvalidConfig, SecretUnresolved: it does not run, and is not started without its token or certificate.
        """
        deadline = _deadline(timeout)
        outdated = ensured(self.gateway)
        steps = StepsByServer()

        def tell(progress: Progress) -> None:
            steps.add(progress)
            self._tell(progress)

        views = self._observer.look_at_all()
        report = reconcile(views, Converger(self._observer, self._executor(tell, deadline)), steps, deadline)
        left = ClearUp(self.engine, self.store, self.environments).after(views, self.keep_models)
        return replace(report, troubles=tuple(filter(None, (outdated, left))))

    def unreadable(self) -> list[Unreadable]:
        """What claims to be ours and cannot be read; it is never touched."""
        return [*unreadable_by(self.engine), *unreadable_by(self.gateway)]

    def plan(self, config: ModelServerConfig, replace: bool = True) -> list[Step]:
        """What a deploy of this config would do; a dry run that may fill the model store and changes nothing else."""
        wish = self._preparer.planned(config, replace)
        return [*self._preparer.steps(wish), *planned(wish, self._observer)]

    @cached_property
    def _platform(self) -> Platform:
        return Platform.patient(self.engine, self.gateway)

    @property
    def _observer(self) -> Observer:
        return self._platform.observer

    @cached_property
    def _preparer(self) -> Preparer:
        copies = self.engine.copy_model if isinstance(self.engine, KeepsModels) else None
        parts = (self.environments, self.images, copies)
        return Preparer(self.store, self.check, self._access, self._tell, self.place, *parts)

    def _find(self, uuid: UUID) -> ServerView:
        return of_uuid(uuid, self._observer.read_all())

    def _lifecycle(self, deadline: Deadline) -> Lifecycle:
        return Lifecycle(self._platform, self._executor(self._tell, deadline))

    def _executor(self, on_progress: OnProgress, deadline: Deadline) -> Executor:
        """One for a single operation, whose deadline holds for what it has to fetch again, too."""
        fetch_again = partial(self._preparer.fetch_again, deadline=deadline.to_prepare)
        return Executor(self._platform, on_progress, self._remove_superseded, fetch_again)

    def _remove_superseded(self, uuid: UUID, revision: int) -> None:
        deadline = Deadline(DONE_WITHIN_S)
        self._lifecycle(deadline).remove_superseded(uuid, revision, deadline)

    def _deploy_again(
        self, uuid: UUID, entry: HistoryEntry, cause: str, request_id: str, deadline: Deadline
    ) -> ModelServer:
        return self._deploy(self._preparer.again(uuid, entry, cause, request_id, deadline.to_prepare), deadline)

    def _deploy(self, wish: Wish, deadline: Deadline) -> ModelServer:
        deploy = Deploy(self._platform, self._executor(self._tell, deadline), self._tell, self._log_tail)
        return self._server(deploy.deploy(wish, deadline))

    def _server(self, view: ServerView) -> ModelServer:
        return registry.model_server(view, self.gateway.url(view.server), self.token)

    def _access(self, config: ModelServerConfig) -> str:
        return capabilities.entry_of_token(self.FLAVOR, config, self.gateway)

    def _tell(self, progress: Progress) -> None:
        self.on_progress(progress)

    def _log_tail(self, observed: Observed) -> str:
        if not isinstance(self.engine, KeepsLogs):
            return ""
        return "\n".join(self.engine.log(observed.ref, LOG_TAIL_LINES))


def _deadline(timeout: int) -> Deadline:
    if timeout < 0:
        raise InvalidRequest(
            f"A timeout of {timeout} s is not possible.",
            hint="Give a number of seconds; 0 starts the work and returns without waiting.",
        )
    return Deadline(timeout)
