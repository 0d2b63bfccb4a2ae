"""What a workload's container is made with; pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import TypeAdapter

from deployer.config import Resources
from deployer.engine import Launch, Wanted, WorkloadSpec
from deployer.flavors.docker import labels
from deployer.flavors.docker.models import ModelVolume
from deployer.flavors.docker.network import NAME as NETWORK
from deployer.records.record import Record
from deployer.runtimes.threads import thread_counts

LAUNCH = TypeAdapter(Launch)
USER = "1000:1000"
PORT = 8080
PROCESSES = 4096
SCRATCH = "/tmp"
SHARED_MEMORY = "256m"
LOG = {"Type": "json-file", "Config": {"max-size": "10m", "max-file": "2"}}
HEALTH_EVERY_NS = 30 * 10**9
OWN_VARIABLES = {"PYTHONDONTWRITEBYTECODE": "1", "HOME": SCRATCH}


@dataclass(frozen=True)
class Container:
    """All that decides a workload's container.

    Attributes:
        image: the reference, or the id, of what it is made of.
        port: on which its server listens.
        secrets: the values by variable.
    """

    spec: WorkloadSpec
    image: str
    port: int
    model: ModelVolume
    address: str
    secrets: Mapping[str, str]

    @property
    def name(self) -> str:
        return labels.container_name(self.spec.record.server, self.spec.record.revision, Wanted.RUNNING)

    @property
    def labels(self) -> dict[str, str]:
        record = self.spec.record
        return {
            labels.RECORD: record.model_dump_json(),
            labels.LAUNCH: LAUNCH.dump_json(self.spec.launch).decode(),
            labels.SERVER: record.server,
            labels.REVISION: str(record.revision),
            labels.TOKEN: record.token,
            labels.NAME: record.name,
            labels.UUID: str(record.uuid),
            labels.MODEL_NAME: record.config.model_name,
            labels.PORT: str(self.port),
        }

    @property
    def command(self) -> list[str]:
        """Its whole command line; empty where the image's own is meant."""
        return [self._filled(word) for word in self.spec.launch.argv]

    @property
    def environment(self) -> dict[str, str]:
        config, launch = self.spec.record.config, self.spec.launch
        of_launch = {name: self._filled(value) for name, value in launch.env.items()}
        own = {"PORT": str(self.port)}
        return {**OWN_VARIABLES, **thread_counts(config.resources), **of_launch, **config.env, **self.secrets, **own}

    def _filled(self, text: str) -> str:
        record = self.spec.record
        places = {"{port}": str(self.port), "{model}": self.model.model, "{revision}": str(record.revision)}
        for place, value in places.items():
            text = text.replace(place, value)
        return text

    def host(self) -> dict[str, Any]:
        """Arguments of the SDK's `create_host_config`: as little of the machine as a server can do with."""
        config = self.spec.record.config
        return {
            "network_mode": NETWORK,
            "binds": [self.model.bind],
            "read_only": True,
            "tmpfs": {SCRATCH: "rw,mode=1777"},
            "shm_size": SHARED_MEMORY,
            "cap_drop": ["ALL"],
            "security_opt": ["no-new-privileges"],
            "pids_limit": PROCESSES,
            "init": True,
            "log_config": LOG,
            "restart_policy": {"Name": "no"},
            **_limits(config.resources),
        }

    def health(self, path: str) -> dict[str, Any]:
        """The check that `docker ps` shows, by whatever the image can ask with; nothing here goes by it."""
        url = f"http://127.0.0.1:{self.port}/{path.removeprefix('/')}"
        python = f"import urllib.request as r; r.urlopen('{url}', timeout=4)"
        asks = [f'wget -q -T 4 -O /dev/null "{url}"', f'curl -fsS -m 4 -o /dev/null "{url}"', f'python3 -c "{python}"']
        test = ["CMD-SHELL", " || ".join(f"{ask} 2>/dev/null" for ask in asks) + " || exit 1"]
        return {"Test": test, "Interval": HEALTH_EVERY_NS, "Timeout": 10 * 10**9, "Retries": 2}


def _limits(resources: Resources | None) -> dict[str, Any]:
    """Swap is no memory: who asks for a limit means it."""
    if resources is None:
        return {}
    limits: dict[str, Any] = {}
    if resources.cpu is not None:
        limits["nano_cpus"] = int(resources.cpu * 10**9)
    if resources.memory_bytes is not None:
        limits |= {"mem_limit": resources.memory_bytes, "memswap_limit": resources.memory_bytes}
    if resources.gpu:
        limits["device_requests"] = [{"Count": resources.gpu, "Capabilities": [["gpu"]]}]
    return limits


def launch_in(told: Mapping[str, str]) -> Launch:
    """How a container was launched, from its labels."""
    return LAUNCH.validate_json(told[labels.LAUNCH])


def record_in(told: Mapping[str, str]) -> Record:
    """The record in a container's labels."""
    return Record.model_validate_json(told[labels.RECORD])


def exposed_ports(image: Mapping[str, Any]) -> Sequence[int]:
    """The TCP ports that an image says it listens on."""
    exposed = (image.get("Config") or {}).get("ExposedPorts") or {}
    return sorted(int(port.split("/")[0]) for port in exposed if port.endswith("/tcp") or "/" not in port)
