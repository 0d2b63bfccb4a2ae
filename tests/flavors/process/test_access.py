"""Who may call a model server, from the deployer's settings and the config to the answer."""

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from pydantic import ValidationError

import deployer
from blocks.process_model_deployer import ProcessModelDeployer as ProcessModelDeployerBlock
from deployer.client import curl
from deployer.config import Access, ModelServerConfig
from deployer.errors import DeployerError, InvalidConfig, PredictionFailed, SecretUnresolved, Unsupported
from deployer.flavors.process.deployer import ProcessModelDeployer
from deployer.flavors.process.settings import ProcessSettings
from deployer.server import ModelServer
from deployer.testing.memory import MemoryHarness
from deployer.testing.models import command_line
from deployer.testing.process import ProcessHarness
from tests.support.certificates import issue
from tests.support.command_line import InProcesses

PLAIN = "hunter2-hunter2-hunter2"
COMMAND = {"line": command_line(), "prediction_path": "/invocations"}
CONFIG = {"model_uri": "models/churn", "name": "churn"}
COMMON, OWN, RENEWED = "common-token-0123456789", "own-token-0123456789abc", "renewed-token-0123456789"


@pytest.fixture
def harness(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ProcessHarness]:
    monkeypatch.setenv("COMMON_TOKEN", COMMON)
    monkeypatch.setenv("OWN_TOKEN", OWN)
    with closing(ProcessHarness(tmp_path)) as mine:
        yield mine


def guarded(harness: ProcessHarness) -> ProcessModelDeployer:
    settings = ProcessSettings(state_dir=harness.state_dir, gateway_port=harness.gateway_port, token="env:COMMON_TOKEN")
    return ProcessModelDeployer(settings)


def test_predict_shows_the_token_that_the_server_asks_for(harness: ProcessHarness) -> None:
    common = guarded(harness).deploy_model(harness.config("v1"))
    own = guarded(harness).deploy_model(harness.config("v2", name="own", access={"token": "env:OWN_TOKEN"}))
    assert common.token == "env:COMMON_TOKEN" and own.token == "env:OWN_TOKEN"
    assert [deployer.predict(server, [1]) for server in (common, own)] == [{"answer": "v1"}, {"answer": "v2"}]
    with pytest.raises(PredictionFailed, match="401"):
        deployer.predict(own, [1], token="env:COMMON_TOKEN")


def test_who_does_not_know_the_settings_is_told_that_a_token_is_asked_for(harness: ProcessHarness) -> None:
    guarded(harness).deploy_model(harness.config("v1"))
    (server,) = harness.deployer().find_model_server()
    with pytest.raises(PredictionFailed, match="asks for a token"):
        deployer.predict(server, [1])
    deployer.predict(server, [1], token="env:COMMON_TOKEN")


def test_the_command_shows_the_token_that_its_user_refers_to(harness: ProcessHarness) -> None:
    guarded(harness).deploy_model(harness.config("v1", name="churn", command=COMMAND))
    program = InProcesses(harness.state_dir, harness.gateway_port)
    assert program("predict", "churn", "[1]", "--token", "env:COMMON_TOKEN").exit_code == 0
    refused = program("predict", "churn", "[1]", "--json")
    assert (refused.exit_code, refused.error["error"]) == (1, "PredictionFailed")
    assert "--token" in refused.error["hint"]
    knowing = program("--set", "token=env:COMMON_TOKEN", "predict", "churn", "[1]")
    assert knowing.exit_code == 0, knowing.stderr
    plain = program("predict", "churn", "[1]", "--token", COMMON)
    assert plain.exit_code == 2 and COMMON not in plain.stdout + plain.stderr


def test_the_command_says_how_to_call_a_server_that_asks_for_a_token(harness: ProcessHarness) -> None:
    server = guarded(harness).deploy_model(harness.config("v1"))
    program = InProcesses(harness.state_dir, harness.gateway_port)
    told = program("--set", "token=env:COMMON_TOKEN", "start", "churn").stdout
    command = told.partition("Call it: ")[2].strip()
    assert command == curl(server)
    shell = subprocess.run(
        ["sh", "-c", f"{command} -sS -w ' %{{http_code}}'"],
        env={"TOKEN": COMMON, "PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=True,
    )
    assert shell.stdout == '{"answer": "v1"} 200'


def test_the_hint_of_a_401_says_when_a_changed_token_is_asked_for(harness: ProcessHarness) -> None:
    common = guarded(harness).deploy_model(harness.config("v1"))
    own = guarded(harness).deploy_model(harness.config("v2", name="own", access={"token": "env:OWN_TOKEN"}))
    hints = []
    for server, other in ((common, "env:OWN_TOKEN"), (own, "env:COMMON_TOKEN")):
        with pytest.raises(PredictionFailed, match="401") as caught:
            deployer.predict(server, [1], token=other)
        hints.append(caught.value.hint)
    assert "next deploy or reconcile" in hints[0] and "setting `token`" in hints[0]
    assert "once it is deployed again" in hints[1] and "reconcile" not in hints[1] and "setting" not in hints[1]


def test_over_https_predict_trusts_whom_it_is_told_to_trust(
    harness: ProcessHarness, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = issue(tmp_path / "tls", "own")
    settings = ProcessSettings(
        state_dir=harness.state_dir,
        gateway_port=harness.gateway_port,
        token="env:COMMON_TOKEN",
        certificate=own.certificate,
        certificate_key=own.key,
    )
    server = ProcessModelDeployer(settings).deploy_model(harness.config("v1"))
    with pytest.raises(PredictionFailed, match="not trusted") as caught:
        deployer.predict(server, [1])
    assert "SSL_CERT_FILE" in caught.value.hint and caught.value.status == 0
    monkeypatch.setenv("SSL_CERT_FILE", str(own.certificate))
    assert deployer.predict(server, [1]) == {"answer": "v1"}
    assert ProcessModelDeployer(settings).find_model_server(running=True) == [server]


def test_a_health_check_needs_no_token(harness: ProcessHarness) -> None:
    guarded(harness).deploy_model(harness.config("v1"))
    assert [server.state for server in harness.deployer().find_model_server(running=True)] == ["ready"]


def test_a_servers_own_token_is_renewed_by_deploying_again(
    harness: ProcessHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    config, mine = harness.config("v1", access={"token": "env:OWN_TOKEN"}), harness.deployer()
    first = mine.deploy_model(config)
    assert mine.deploy_model(config, replace=True).revision == 1
    monkeypatch.setenv("OWN_TOKEN", RENEWED)
    renewed = mine.deploy_model(config, replace=True)
    assert (renewed.uuid, renewed.url, renewed.revision) == (first.uuid, first.url, 2)
    deployer.predict(renewed, [1])


def test_no_token_stands_in_the_state_directory(harness: ProcessHarness) -> None:
    guarded(harness).deploy_model(harness.config("v1", access={"token": "env:OWN_TOKEN"}))
    files = [path for path in harness.state_dir.rglob("*") if path.is_file()]
    assert [path for path in files for token in (COMMON, OWN) if token.encode() in path.read_bytes()] == []


def test_what_died_is_brought_back_where_the_token_cannot_be_had_and_the_gateway_runs(
    harness: ProcessHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = guarded(harness).deploy_model(harness.config("v1"))
    harness.kill(server)
    monkeypatch.delenv("COMMON_TOKEN")
    report = guarded(harness).reconcile()
    (trouble,) = report.troubles
    assert "runs on as it is" in trouble and "Set COMMON_TOKEN" in trouble
    assert [one.name for one in report.changed] == ["churn"] and report.failed == () and not report.went_well
    monkeypatch.setenv("COMMON_TOKEN", COMMON)
    assert deployer.predict(server, [1]) == {"answer": "v1"}
    with pytest.raises(PredictionFailed, match="401"):
        deployer.predict(server, [1], token="env:OWN_TOKEN")
    assert guarded(harness).reconcile().went_well


def test_what_died_is_brought_back_while_a_certificate_is_renewed(
    harness: ProcessHarness, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = issue(tmp_path / "tls", "own")
    secure = {"certificate": own.certificate, "certificate_key": own.key}
    settings = ProcessSettings(state_dir=harness.state_dir, gateway_port=harness.gateway_port, **secure)
    server = ProcessModelDeployer(settings).deploy_model(harness.config("v1"))
    harness.kill(server)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "trusted.pem"))
    own.certificate.rename(tmp_path / "trusted.pem")
    for mine in (ProcessModelDeployer(settings), harness.deployer()):
        (trouble,) = mine.reconcile().troubles
        assert "cannot be used" in trouble
        assert deployer.predict(server, [1]) == {"answer": "v1"}


def test_a_gateway_that_does_not_run_is_not_started_without_its_token(
    harness: ProcessHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    guarded(harness).deploy_model(harness.config("v1"))
    guarded(harness).gateway.shutdown()
    monkeypatch.delenv("COMMON_TOKEN")
    with pytest.raises(SecretUnresolved, match="COMMON_TOKEN"):
        guarded(harness).reconcile()
    assert not harness.deployer().gateway.answers()


def test_a_token_that_cannot_be_had_begins_nothing(harness: ProcessHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OWN_TOKEN")
    with pytest.raises(SecretUnresolved, match="OWN_TOKEN"):
        harness.deployer().deploy_model(harness.config("v1", access={"token": "env:OWN_TOKEN"}))
    assert harness.deployer().find_model_server() == []


def test_a_token_that_is_too_short_begins_nothing(harness: ProcessHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OWN_TOKEN", "short")
    with pytest.raises(InvalidConfig, match="at least 16"):
        harness.deployer().deploy_model(harness.config("v1", access={"token": "env:OWN_TOKEN"}))
    assert harness.deployer().find_model_server() == []


def test_a_flavor_whose_gateway_asks_nobody_says_so(tmp_path: Path) -> None:
    memory = MemoryHarness(tmp_path)
    with pytest.raises(Unsupported, match="token"):
        memory.deployer().deploy_model(memory.config("v1", access={"token": "env:PATH"}))


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"bind": "0.0.0.0"}, "set `token` too"),
        ({"bind": "192.0.2.1", "token": ""}, "set `token` too"),
        ({"bind": "everywhere"}, "IPv4 or IPv6"),
        ({"token": PLAIN}, "never the token itself"),
        ({"url_host": "models.example.org/churn"}, "IPv4 or IPv6"),
        ({"certificate": "cert.pem"}, "together"),
    ],
)
def test_settings_that_are_not_safe_are_refused(settings: dict[str, str], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        ProcessSettings.model_validate(settings)


GIVEN_PLAINLY: dict[str, Callable[[ModelServer], object]] = {
    "load": lambda _: deployer.load("process", token=PLAIN),
    "settings": lambda _: ProcessSettings(token=PLAIN),
    "block": lambda _: ProcessModelDeployerBlock(token=PLAIN),
    "config": lambda _: ModelServerConfig.model_validate(CONFIG | {"access": {"token": PLAIN}}),
    "section": lambda _: Access(token=PLAIN),
    "config's secrets": lambda _: ModelServerConfig.model_validate(CONFIG | {"secrets": {"API_KEY": PLAIN}}),
    "predict": lambda server: deployer.predict(server, [1], token=PLAIN),
}


@pytest.mark.parametrize("where", GIVEN_PLAINLY)
def test_a_secret_in_place_of_its_reference_is_not_shown(where: str, tmp_path: Path) -> None:
    memory = MemoryHarness(tmp_path)
    server = memory.deployer().deploy_model(memory.config("v1"))
    with pytest.raises((DeployerError, ValidationError), match="reference") as caught:
        GIVEN_PLAINLY[where](server)
    assert PLAIN not in str(caught.value) + repr(caught.value)
