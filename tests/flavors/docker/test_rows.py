"""What one row of the engine's list says."""

import pytest

from deployer.engine import Phase, Wanted
from deployer.flavors.docker.connection import instant
from deployer.flavors.docker.labels import container_name, wanted_by
from deployer.flavors.docker.rows import Row, row_of


def row(status: str = "", state: str = "running", name: str = "/churn-r1") -> Row:
    return row_of({"Id": "1", "Names": [name], "State": state, "Status": status, "Created": 1}, "ours")


@pytest.mark.parametrize(
    ("status", "seconds"),
    [
        ("Up Less than a second", 0),
        ("Up 1 second", 1),
        ("Up 59 seconds (healthy)", 59),
        ("Up About a minute", 60),
        ("Up 12 minutes (Paused)", 720),
        ("Up About an hour", 3600),
        ("Exited (137) 5 hours ago", 18_000),
        ("Up 3 days", 259_200),
        ("Up 2 weeks", 1_209_600),
        ("Created", 0),
    ],
)
def test_its_age_is_as_rough_as_the_engine_says_it(status: str, seconds: float) -> None:
    assert row(status).age_s == seconds


@pytest.mark.parametrize(("status", "code"), [("Exited (7) 2 seconds ago", 7), ("Exited (137) 1 second ago", -9)])
def test_an_exit_status_above_128_is_a_signal(status: str, code: int) -> None:
    assert row(status, "exited").exit_code == code


@pytest.mark.parametrize("wanted", Wanted)
@pytest.mark.parametrize("server", ["churn", "a-r7-stopped", "stopped", "x-0a1b2c3d"])
def test_what_it_shall_be_is_in_its_name_and_read_back_from_it(server: str, wanted: Wanted) -> None:
    assert wanted_by(container_name(server, 12, wanted)) == (f"{server}-r12", wanted)


@pytest.mark.parametrize("name", ["somebody", "postgres-refused", "r2", "-r1x"])
def test_another_name_is_no_workload_s_and_unmarked(name: str) -> None:
    assert wanted_by(name) == (name, Wanted.RUNNING)


@pytest.mark.parametrize(
    ("state", "phase"),
    [
        ("created", "created"),
        ("running", "running"),
        ("paused", "running"),
        ("exited", "ended"),
        ("who knows", "ended"),
    ],
)
def test_every_state_is_a_phase(state: str, phase: str) -> None:
    assert row(state=state).phase is Phase(phase)


def test_its_address_is_the_one_of_our_network_whether_it_runs_or_not() -> None:
    ends = {"ours": {"IPAMConfig": {"IPv4Address": "10.201.0.2"}, "IPAddress": ""}, "theirs": {"IPAddress": "10.9.9.9"}}
    assert row_of({"Id": "1", "NetworkSettings": {"Networks": ends}}, "ours").address == "10.201.0.2"


def test_the_engine_s_timestamps_are_read_to_the_microsecond_and_its_zero_is_zero() -> None:
    assert instant("1970-01-01T00:00:01.500000999Z") == 1.5
    assert instant("1970-01-01T00:01:00Z") == 60
    assert instant("0001-01-01T00:00:00Z") == 0
