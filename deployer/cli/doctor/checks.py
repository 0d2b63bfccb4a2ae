"""Every check by its name, in the order in which they are told."""

import prefect.client.orchestration  # noqa: F401 - before the clock starts: it takes a while, and cannot hang

from deployer.cli.doctor import installed, machine, platforms, prefect_side, systemd
from deployer.cli.doctor.examine import Check

CHECKS: dict[str, Check] = {
    "python": installed.python,
    "packages": installed.packages,
    "extras": installed.extras,
    "flavors": installed.flavors,
    "import path": installed.import_path,
    "state directory": machine.state_directory,
    "gateway port": machine.gateway_port,
    "traefik": machine.traefik,
    "cgroups": machine.cgroups,
    "systemd": systemd.kill_mode,
    "prefect server": prefect_side.server,
    "prefect scheduler": prefect_side.scheduler,
    "prefect worker": prefect_side.worker,
    "docker": platforms.docker,
    "kubernetes": platforms.kubernetes,
}
