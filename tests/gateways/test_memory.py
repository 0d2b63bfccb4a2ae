"""The rule of compare and swap, on the gateway in memory."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from deployer.errors import RouteMoved
from deployer.gateway import Backend, Route, Split
from deployer.gateways.memory import MemoryGateway, MemoryRoutes


def to(revision: int) -> Split:
    return (Backend(revision, f"http://127.0.0.1:{9000 + revision}"),)


@pytest.fixture
def gateway() -> MemoryGateway:
    return MemoryGateway()


def test_a_server_that_was_never_written_has_no_route(gateway: MemoryGateway) -> None:
    assert gateway.routes() == {} and gateway.routes("churn") == {}


def test_a_written_route_reads_back(gateway: MemoryGateway) -> None:
    tag = gateway.write("churn", to(1), 1, "")
    assert gateway.routes("churn") == {"churn": Route(to(1), 1, tag)}


def test_a_write_on_an_old_tag_is_refused_and_changes_nothing(gateway: MemoryGateway) -> None:
    first = gateway.write("churn", to(1), 1, "")
    second = gateway.write("churn", to(2), 2, first)
    with pytest.raises(RouteMoved, match="revision 2 serves"):
        gateway.write("churn", to(3), 3, first)
    assert gateway.routes("churn")["churn"] == Route(to(2), 2, second)


def test_a_first_write_is_refused_where_a_route_stands(gateway: MemoryGateway) -> None:
    gateway.write("churn", to(1), 1, "")
    with pytest.raises(RouteMoved):
        gateway.write("churn", to(2), 2, "")


def test_a_revision_that_left_the_split_may_not_return(gateway: MemoryGateway) -> None:
    tag = gateway.write("churn", to(2), 2, gateway.write("churn", to(1), 1, ""))
    with pytest.raises(RouteMoved, match="revision 1 of churn is closed"):
        gateway.write("churn", to(1), 2, tag)


def test_a_revision_that_was_closed_before_it_served_may_not_enter(gateway: MemoryGateway) -> None:
    tag = gateway.write("churn", (), 1, "")
    with pytest.raises(RouteMoved, match="nothing serves"):
        gateway.write("churn", to(1), 1, tag)


def test_the_revision_that_serves_may_be_written_again_with_another_address(gateway: MemoryGateway) -> None:
    tag = gateway.write("churn", to(1), 1, "")
    moved = (Backend(1, "http://127.0.0.1:9999"),)
    gateway.write("churn", moved, 1, tag)
    assert gateway.routes()["churn"].address_of(1) == "http://127.0.0.1:9999"


def test_high_never_falls(gateway: MemoryGateway) -> None:
    tag = gateway.write("churn", to(3), 7, "")
    gateway.write("churn", to(3), 0, tag)
    assert gateway.routes()["churn"].high == 7


def test_high_covers_the_split(gateway: MemoryGateway) -> None:
    gateway.write("churn", to(3), 0, "")
    assert gateway.routes()["churn"].high == 3


def test_the_same_route_written_again_is_another_version(gateway: MemoryGateway) -> None:
    tag = gateway.write("churn", to(1), 1, "")
    assert gateway.write("churn", to(1), 1, tag) != tag


def test_only_the_standing_route_is_acknowledged(gateway: MemoryGateway) -> None:
    first = gateway.write("churn", to(1), 1, "")
    second = gateway.write("churn", to(2), 2, first)
    gateway.acknowledge("churn", second, 1)
    with pytest.raises(RouteMoved):
        gateway.acknowledge("churn", first, 1)


def test_a_route_is_removed_only_by_whoever_saw_it_last(gateway: MemoryGateway) -> None:
    first = gateway.write("churn", to(1), 1, "")
    second = gateway.write("churn", to(2), 2, first)
    with pytest.raises(RouteMoved):
        gateway.remove("churn", first)
    gateway.remove("churn", second)
    assert gateway.routes() == {}


def test_of_many_writers_that_saw_the_same_route_one_wins() -> None:
    shared = MemoryRoutes()

    def attempt(revision: int) -> bool:
        try:
            MemoryGateway(shared).write("churn", to(revision), revision, "")
        except RouteMoved:
            return False
        return True

    with ThreadPoolExecutor(8) as writers:
        assert sum(writers.map(attempt, range(1, 9))) == 1
