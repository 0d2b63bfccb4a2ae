"""Settings of the process flavor."""

from pydantic import ConfigDict

from deployer.gateways.on_host import HostSettings


class ProcessSettings(HostSettings):
    """Where the process flavor keeps what it knows, and where its URLs are."""

    model_config = ConfigDict(title="Process")
