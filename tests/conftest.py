"""Which engines the tests can reach, and which they must."""

import os
import shutil
import signal
import sys
from collections.abc import Callable, Iterator

import pytest
from hypothesis import HealthCheck, settings

from tests.prefect_server.fixtures import prefect_server, process_deployer

__all__ = ["prefect_server", "process_deployer"]


PREFECT_IN_TESTS = {
    "DO_NOT_TRACK": "true",
    "PREFECT_CLI_COLORS": "false",
    "PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW": "ignore",
    "PREFECT_SERVER_ALLOW_EPHEMERAL_MODE": "false",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
}
"""Read when Prefect is imported: it tells nobody, and starts no server that nobody asked for."""


def _memory() -> str:
    return ""


def _process() -> str:
    if sys.platform not in ("linux", "darwin"):
        return "use Linux or macOS"
    traefik = shutil.which("traefik", path=os.path.dirname(sys.executable))
    return "" if traefik else "run `make setup`, which brings Traefik"


def _docker() -> str:
    from deployer.errors import DeployerError
    from deployer.flavors.docker.connection import Connection
    from deployer.flavors.docker.refusals import refusals
    from deployer.testing.docker import BASE_IMAGE, USUAL_BASE_IMAGE

    connection, image = Connection(), os.environ.get(BASE_IMAGE) or USUAL_BASE_IMAGE
    try:
        with refusals("it was asked"):
            there = connection.api.images(name=image)
    except DeployerError as error:
        return error.hint
    return "" if there else f"pull {image}, or name another image with Python in it: {BASE_IMAGE}"


@pytest.fixture(scope="session")
def docker_engine_is_there() -> None:
    """An engine with the base image of the tests."""
    if advice := _docker():
        pytest.skip(f"no Docker engine with a base image: {advice}")


@pytest.fixture(scope="session")
def docker_engine(docker_engine_is_there: None) -> Iterator[None]:
    """The engine that all tests of Docker share, one after the other; nothing of theirs is on it afterwards."""
    from deployer.testing.docker import remove_what_tests_share

    yield
    remove_what_tests_share()


settings.register_profile(
    "fast",
    max_examples=150,
    stateful_step_count=15,
    database=None,
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
settings.register_profile("long", settings.get_profile("fast"), max_examples=2500, stateful_step_count=30)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "fast"))


HOW_TO_GET: dict[str, Callable[[], str]] = {"memory": _memory, "process": _process, "docker": _docker}
"""What to do to get each engine of this version; empty where it can be reached."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--engines",
        default=os.environ.get("ENGINES", ""),
        help="Engines that must be reachable, or `all`; without it those that are reachable are tested.",
    )


def required_engines(config: pytest.Config) -> list[str]:
    names = config.getoption("engines").replace(",", " ").split()
    return list(HOW_TO_GET) if "all" in names else names


def _heed_signals() -> None:
    """Programs inherit what is ignored, as where the tests run in the background: they could not be interrupted."""
    for number in (signal.SIGINT, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)


def pytest_configure(config: pytest.Config) -> None:
    _heed_signals()
    assert config.cache
    os.environ.update(PREFECT_IN_TESTS, PREFECT_HOME=str(config.cache.mkdir("prefect-home")))
    known = ", ".join(HOW_TO_GET)
    for name in required_engines(config):
        if name not in HOW_TO_GET:
            raise pytest.UsageError(f"ENGINES names {name}: this version has no such flavor, only {known}")
        if advice := HOW_TO_GET[name]():
            raise pytest.UsageError(f"ENGINES names {name}, which cannot be reached here: {advice}")


def pytest_report_header() -> list[str]:
    return [
        f"engine {name}: not tested, it cannot be reached: {advice}" if (advice := how()) else f"engine {name}: tested"
        for name, how in HOW_TO_GET.items()
    ]
