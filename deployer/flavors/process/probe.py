"""Asks one process whether it is ready."""

from dataclasses import dataclass
from urllib.parse import urlsplit

from deployer.engine import Health, Phase, Readiness, Workload
from deployer.flavors.process.folder import NotReadable, WorkloadFolder
from deployer.http import NoAnswer, request
from deployer.probing import USUAL_TIMEOUT_S
from deployer.processes.listeners import listens


@dataclass(frozen=True)
class Prober:
    """Asks one workload, and makes sure that it was that workload which answered."""

    folder: WorkloadFolder

    def ask(self, workload: Workload, left_s: float) -> Readiness:
        if workload.phase is not Phase.RUNNING:
            return Readiness(Health.UNREACHED, "it does not run")
        probes = workload.record.config.probes
        timeout_s = min(left_s, probes.timeout_s if probes else USUAL_TIMEOUT_S)
        try:
            path = (probes.path if probes else "") or self.folder.launch().readiness_path
            answer = request("GET", f"{workload.address}/{path.removeprefix('/')}", timeout_s=timeout_s)
        except NoAnswer as no:
            return Readiness(Health.SILENT if no.timed_out else Health.UNREACHED, no.reason)
        except (FileNotFoundError, NotADirectoryError, NotReadable):
            return Readiness(Health.UNREACHED, "it is gone")
        if not answer.ok:
            return Readiness(Health.SICK, f"{path} answers {answer.status}: {answer.first_line}".rstrip(": "))
        return self._whose(urlsplit(workload.address).port or 0)

    def _whose(self, port: int) -> Readiness:
        identity = self.folder.identity()
        if not self.folder.held() or identity is None:
            return Readiness(Health.UNREACHED, "it answered, and ended since")
        if not identity.is_elsewhere and not (identity.lives and listens(identity.pid, port)):
            return Readiness(Health.UNREACHED, f"a stranger answers on port {port}")
        return Readiness(Health.READY)
