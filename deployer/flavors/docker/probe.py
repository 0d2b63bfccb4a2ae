"""Asks containers whether they are ready, and makes sure that it was they who answered."""

from collections.abc import Mapping
from dataclasses import dataclass

from deployer.engine import Health, Phase, Readiness, Ref, Workload
from deployer.flavors.docker.containers import Containers, Described
from deployer.flavors.docker.rows import Row
from deployer.http import NoAnswer, request
from deployer.probing import USUAL_TIMEOUT_S


@dataclass(frozen=True)
class Prober:
    """Asks once; `rows` are those that were listed before, by token."""

    containers: Containers
    rows: Mapping[str, Row]

    def ask(self, workload: Workload, left_s: float) -> Readiness:
        if workload.phase is not Phase.RUNNING:
            return Readiness(Health.UNREACHED, "it does not run")
        row = self.rows.get(workload.record.token)
        described = self.containers.described(row) if row else ""
        if not isinstance(described, Described):
            return Readiness(Health.UNREACHED, "it is gone")
        probes = workload.record.config.probes
        timeout_s = min(left_s, probes.timeout_s if probes else USUAL_TIMEOUT_S)
        path = (probes.path if probes else "") or described.launch.readiness_path
        try:
            answer = request("GET", f"{workload.address}/{path.removeprefix('/')}", timeout_s=timeout_s)
        except NoAnswer as no:
            return Readiness(Health.SILENT if no.timed_out else Health.UNREACHED, no.reason)
        if not answer.ok:
            return Readiness(Health.SICK, f"{path} answers {answer.status}: {answer.first_line}".rstrip(": "))
        return Readiness(Health.READY)

    def confirmed(self, answers: Mapping[Ref, Readiness]) -> dict[Ref, Readiness]:
        """The same where what answered still runs: else it has ended since, and a stranger may have its address."""
        ready = [ref for ref, answer in answers.items() if answer.health is Health.READY]
        if not ready:
            return dict(answers)
        servers = {ref.server for ref in ready}
        rows = self.containers.rows(servers.pop() if len(servers) == 1 else None)
        running = {row.token for row in rows if row.state == "running" and self._is_the_same(row)}
        ended = Readiness(Health.UNREACHED, "it answered, and ended since")
        return {ref: ended if ref in ready and ref.token not in running else answer for ref, answer in answers.items()}

    def _is_the_same(self, row: Row) -> bool:
        asked = self.rows.get(row.token)
        return asked is not None and (asked.id, asked.address) == (row.id, row.address)
