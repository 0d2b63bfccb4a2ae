from collections.abc import Container
from dataclasses import dataclass

from deployer.ports import free_ports


@dataclass
class AllBut(Container[int | None]):
    """Every port is taken but one."""

    free: int

    def __contains__(self, port: object) -> bool:
        return port != self.free


def test_a_port_that_is_taken_is_not_given_out_though_it_could_be_bound() -> None:
    (free,) = free_ports(1)
    assert set(free_ports(3, taken=AllBut(free))) <= {free}
