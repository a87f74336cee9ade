"""Learning, flooding, what is not passed on, and limits: the pipeline's behaviour."""

from __future__ import annotations

import pytest

from hotswitch.headers.registry import Registry
from hotswitch.switch.desired import DesiredPort
from hotswitch.switch.reserved import RESERVED
from tests.switch.lab import BROADCAST, Lab, Tag, frame
from tests.switch.wishes import bridge

A, B, C = 0x020000000001, 0x020000000002, 0x020000000003
MULTICAST = 0x01005E000001


@pytest.fixture
def lab(registry: Registry) -> Lab:
    return Lab(registry, bridge("br0", "a", "b", "c"))


def test_an_unknown_destination_is_flooded_and_a_known_one_is_not(lab: Lab) -> None:
    assert set(lab.send("a", frame(A, B))) == {"b", "c", "br0"}
    assert lab.send("b", frame(B, A)) == {"a": frame(B, A)}
    assert lab.send("a", frame(A, B)) == {"b": frame(A, B)}


@pytest.mark.parametrize("destination", [BROADCAST, MULTICAST])
def test_groups_are_flooded_and_never_learned(lab: Lab, destination: int) -> None:
    lab.send("a", frame(A, B))
    assert set(lab.send("b", frame(B, destination))) == {"a", "c", "br0"}
    lab.send("c", frame(MULTICAST, A))
    assert lab.addresses() == {(0, A, "a"), (0, B, "b")}


def test_an_address_moves_with_its_host(lab: Lab) -> None:
    lab.send("a", frame(A, BROADCAST))
    lab.send("c", frame(A, BROADCAST))
    assert lab.addresses() == {(0, A, "c")}
    assert lab.send("b", frame(B, A)) == {"c": frame(B, A)}
    lab.send("a", frame(A, B))
    assert lab.addresses() == {(0, A, "a"), (0, B, "b")}


def test_a_known_destination_at_the_ingress_port_goes_nowhere(lab: Lab) -> None:
    lab.send("a", frame(A, BROADCAST))
    assert lab.send("a", frame(B, A)) == {}
    assert (0, B, "a") in lab.addresses()


def test_an_address_is_known_in_its_vlan_only(lab: Lab) -> None:
    lab.send("a", frame(A, BROADCAST, Tag(10)))
    assert set(lab.send("b", frame(B, A, Tag(20)))) == {"a", "c", "br0"}
    assert set(lab.send("b", frame(B, A))) == {"a", "c", "br0"}
    assert set(lab.send("b", frame(B, A, Tag(10)))) == {"a"}
    assert lab.addresses() == {(10, A, "a"), (20, B, "b"), (0, B, "b"), (10, B, "b")}


def test_a_full_table_learns_nothing_new_and_floods(registry: Registry) -> None:
    lab = Lab(registry, bridge("br0", "a", "b", "c", address_limit=2))
    for host in (A, B, C):
        lab.send("a", frame(host, BROADCAST))
    assert lab.addresses() == {(0, A, "a"), (0, B, "a")}
    assert lab.datapath.counters().not_learned == 1
    assert set(lab.send("b", frame(A, C))) == {"a", "c", "br0"}
    assert (0, A, "b") in lab.addresses()


@pytest.mark.parametrize("destination", RESERVED, ids=hex)
def test_a_reserved_address_is_neither_passed_on_nor_learned_from(
    lab: Lab, destination: int
) -> None:
    assert lab.send("a", frame(A, destination)) == {}
    assert lab.send("a", frame(A, destination, Tag(10))) == {}
    assert lab.addresses() == set()


def test_the_neighbours_of_reserved_addresses_pass(lab: Lab) -> None:
    for destination in {each + by for each in RESERVED for by in (-1, 1)} - {*RESERVED}:
        assert set(lab.send("a", frame(A, destination))) == {"b", "c", "br0"}


def test_reserved_addresses_pass_where_that_is_wanted(registry: Registry) -> None:
    lab = Lab(registry, bridge("br0", "a", "b", forward_reserved=True))
    for destination in RESERVED:
        assert set(lab.send("a", frame(A, destination))) == {"b", "br0"}


def test_a_storm_is_limited_at_its_port_and_known_destinations_are_not(registry: Registry) -> None:
    lab = Lab(registry, bridge("br0", DesiredPort("a", storm_limit=100), "b"))
    lab.send("b", frame(B, BROADCAST))

    def flooded(port: str, times: int) -> int:
        return sum(bool(lab.send(port, frame(A, BROADCAST))) for _ in range(times))

    burst = flooded("a", 50)
    assert 10 <= burst <= 11  # a tenth of a second's worth
    assert flooded("b", 50) == 50
    assert all(lab.send("a", frame(A, B)) for _ in range(50))
    lab.clock.advance(1_000_000_000)
    assert flooded("a", 50) == burst
    assert lab.datapath.counters().limited == 100 - 2 * burst


def test_a_port_without_limit_is_not_counted_against_one(registry: Registry) -> None:
    lab = Lab(registry, bridge("br0", DesiredPort("a", storm_limit=1), "b"))
    assert all(lab.send("br0", frame(C, BROADCAST)) for _ in range(20))
