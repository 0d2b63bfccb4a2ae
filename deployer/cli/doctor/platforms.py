"""Checks of platforms that one may have or not."""

import os
from pathlib import Path

from deployer.cli.doctor.finding import Finding, info, ok
from deployer.cli.session import Session

ANSWERS_WITHIN_S = 3


def docker(session: Session) -> Finding:
    """Whether a Docker engine answers."""
    from docker import from_env
    from docker.errors import DockerException

    try:
        client = from_env(timeout=ANSWERS_WITHIN_S)
        try:
            told = client.version()
        finally:
            client.close()
    except DockerException as error:
        why = str(error).partition("(")[0].strip().rstrip(":.") or type(error).__name__
        return info(f"No Docker engine answers: {why}.", "Only a flavor that uses Docker needs one.")
    return ok(f"Docker {told['Version']} answers (API {told['ApiVersion']}).")


def kubernetes(session: Session) -> Finding:
    """Whether a cluster answers, the one of the present context."""
    files = os.environ.get("KUBECONFIG") or str(Path.home() / ".kube" / "config")
    if not any(Path(name).is_file() for name in files.split(os.pathsep) if name):
        return info("There is no kubeconfig.", "Only a flavor that uses Kubernetes needs one.")
    from kubernetes import client, config
    from urllib3.exceptions import HTTPError

    try:
        with config.new_client_from_config() as api:  # type: ignore[no-untyped-call]
            told = client.VersionApi(api).get_code(_request_timeout=ANSWERS_WITHIN_S)
            where = api.configuration.host
    except (config.ConfigException, client.ApiException, HTTPError, OSError, ValueError) as error:
        why = type(error).__name__
        return info(f"The cluster of the kubeconfig does not answer: {why}.", "`kubectl version` tells more.")
    return ok(f"Kubernetes {told.git_version} answers at {where}.")
