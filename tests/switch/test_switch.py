"""What a switch shows and does on demand: address table, ageing, statistics."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotswitch.base.clock import ManualClock
from hotswitch.base.errors import HotswitchError
from hotswitch.datapath.datapath import EntryDatapath
from hotswitch.datapath.engines.reference.engine import ReferenceEngine
from hotswitch.headers.registry import Registry
from hotswitch.model.port import Address, PortStatistics
from hotswitch.switch.ageing import aged, astray
from hotswitch.switch.check import SwitchError
from hotswitch.switch.desired import Desired, DesiredPort, VlanMode
from hotswitch.switch.status import AddressStatus, describe_vlans
from hotswitch.switch.switch import Switch
from hotswitch.switch.vlans import port_vlans
from hotswitch.switch.world import World
from tests.switch.fakes import FakeLinks
from tests.switch.lab import BROADCAST, Tag, frame
from tests.switch.wishes import bridge, desired

SECOND = 1_000_000_000
A, B = 0x020000000001, 0x020000000002


class Machine:
    """A switch on reference engines, with devices a and b."""

    def __init__(self, registry: Registry) -> None:
        self.clock = ManualClock(1000 * SECOND)
        self.engines: dict[str, ReferenceEngine] = {}

        def new(name: str, address_limit: int) -> EntryDatapath:
            self.engines[name] = ReferenceEngine(registry, self.clock, address_limit)
            return EntryDatapath(name, registry, self.engines[name])

        links = FakeLinks()
        for name in ("a", "b"):
            links.add(name)
        self.switch = Switch(World(links, new, owner="test"), self.clock)
        self.switch.set_desired(desired(bridge("br0", "a", "b", ageing_time=300)))

    def send(self, port: str, sent: bytes) -> None:
        numbers = {each.name: n for n, each in self.switch.datapath("br0").ports().items()}
        self.engines["br0"].process(numbers[port], sent)

    def macs(self) -> set[int]:
        return {row.mac for row in self.switch.addresses("br0")}


@pytest.fixture
def machine(registry: Registry) -> Machine:
    return Machine(registry)


def test_addresses_are_shown(machine: Machine) -> None:
    machine.send("b", frame(B, BROADCAST, Tag(10)))
    machine.send("a", frame(A, BROADCAST))
    machine.clock.advance(2 * SECOND)
    assert machine.switch.addresses("br0") == [
        AddressStatus(0, A, "a", 2.0, static=False),
        AddressStatus(10, B, "b", 2.0, static=False),
    ]


def test_silent_addresses_age(machine: Machine) -> None:
    machine.send("a", frame(A, BROADCAST))
    machine.clock.advance(200 * SECOND)
    machine.send("b", frame(B, A))
    machine.clock.advance(100 * SECOND - 1)
    assert machine.switch.age(machine.clock.now()) == []
    assert machine.macs() == {A, B}
    machine.clock.advance(1)
    machine.switch.age(machine.clock.now())
    assert machine.macs() == {B}
    machine.clock.advance(200 * SECOND)
    machine.switch.age(machine.clock.now())
    assert machine.macs() == set()


def test_what_has_expired_is_counted_for_each_life_of_a_bridge(machine: Machine) -> None:
    before = machine.switch.desired
    machine.send("a", frame(A, BROADCAST))
    machine.clock.advance(300 * SECOND)
    machine.switch.age(machine.clock.now())
    assert machine.switch.expired["br0"] == 1
    machine.switch.set_desired(Desired())
    machine.switch.set_desired(before)
    assert machine.switch.expired["br0"] == 0


def test_addresses_never_age_where_that_is_wanted(machine: Machine) -> None:
    machine.switch.set_desired(desired(bridge("br0", "a", "b", ageing_time=0)))
    machine.send("a", frame(A, BROADCAST))
    machine.clock.advance(10**9 * SECOND)
    machine.switch.age(machine.clock.now())
    assert machine.macs() == {A}


def test_ageing_also_removes_what_a_port_does_not_carry(machine: Machine) -> None:
    datapath = machine.switch.datapath("br0")
    machine.switch.set_desired(desired(bridge("br0", DesiredPort("a", tag=10), "b")))
    now = machine.clock.now()
    datapath.put_address(Address(20, A, 1, now))
    datapath.put_address(Address(10, B, 1, now))
    machine.switch.age(now)
    assert machine.macs() == {B}


def test_flushing(machine: Machine) -> None:
    def fill() -> None:
        for vlan in (10, 20):
            machine.send("a", frame(A, BROADCAST, Tag(vlan)))
            machine.send("b", frame(B, BROADCAST, Tag(vlan)))

    fill()
    machine.switch.datapath("br0").put_address(Address(1, 5, 1, static=True))
    assert machine.switch.flush("br0", port="a", vlan=10) == 1
    assert machine.switch.flush("br0", port="a") == 1
    assert machine.switch.flush("br0", vlan=20) == 1
    fill()
    assert machine.switch.flush("br0") == 4
    assert machine.macs() == {5}


def test_what_is_not_there_is_an_error(machine: Machine) -> None:
    for ask in (
        lambda: machine.switch.addresses("br9"),
        lambda: machine.switch.flush("br9"),
        lambda: machine.switch.flush("br0", port="z"),
        lambda: machine.switch.statistics("br9"),
    ):
        with pytest.raises(SwitchError):
            ask()


def test_statistics_are_by_name(machine: Machine) -> None:
    machine.send("a", frame(A, BROADCAST))
    statistics = machine.switch.statistics("br0")
    assert statistics["a"].rx_packets == 1
    assert statistics["b"].tx_packets == statistics["br0"].tx_packets == 1
    assert statistics["b"].tx_bytes == len(frame(A, BROADCAST))


def test_statistics_are_read_piece_by_piece(machine: Machine) -> None:
    asked: list[int] = []
    datapath = machine.switch.datapath("br0")
    whole = datapath.port_statistics

    def port_statistics(numbers: Collection[int] | None = None) -> Mapping[int, PortStatistics]:
        asked.append(len(numbers or ()))
        return whole(numbers)

    for number in range(1, 301):
        datapath.add_port(f"more{number}")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(datapath, "port_statistics", port_statistics)
        statistics = machine.switch.statistics("br0")
        assert asked == []
        datapath.delete_port(next(n for n, p in datapath.ports().items() if p.name == "more7"))
        assert set(statistics.values()) == {PortStatistics()}
    assert len(statistics) == len(datapath.ports()) + 1
    assert sum(asked) == len(datapath.ports())
    assert max(asked) < 150
    assert "nobody" not in statistics


def test_an_error_while_ageing_stops_no_other_bridge(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.switch.set_desired(desired(bridge("br0", "a", "b"), bridge("br1")))
    machine.engines["br1"].put_address(Address(0, A, 255, 0))

    def fail() -> list[Address]:
        raise HotswitchError("no table")

    monkeypatch.setattr(machine.engines["br0"], "addresses", fail)
    (error,) = machine.switch.age(machine.clock.now())
    assert str(error) == "no table"
    assert machine.switch.addresses("br1") == []


rows = st.builds(
    Address,
    st.integers(0, 4095),
    st.integers(1, 5),
    st.integers(1, 3),
    st.integers(0, 100 * SECOND),
    st.booleans(),
)


@given(st.lists(rows), st.integers(0, 200 * SECOND), st.integers(1, 100))
def test_aged_are_the_silent_and_never_the_static(
    table: list[Address], now: int, ageing_time: int
) -> None:
    gone = aged(table, now=now, ageing_time=ageing_time)
    for row in table:
        assert (row in gone) == (not row.static and now - row.last_seen >= ageing_time * SECOND)


@given(st.lists(rows), st.sets(st.integers(0, 4095)))
def test_astray_are_those_in_vlans_not_carried(table: list[Address], trunks: set[int]) -> None:
    port = DesiredPort("a", trunks=tuple(trunks))
    for row in (gone := astray(table, {1: port_vlans(port)})):
        assert row.port == 1
        assert row.vlan not in trunks
    assert {row for row in table if row.port == 1} - {*gone} == {
        row for row in table if row.port == 1 and (not trunks or row.vlan in trunks)
    }


@pytest.mark.parametrize(
    ("port", "text"),
    [
        (DesiredPort("a"), "trunk"),
        (DesiredPort("a", tag=10), "access 10"),
        (DesiredPort("a", mode=VlanMode.ACCESS), "access 0"),
        (DesiredPort("a", tag=10, trunks=(1,)), "access 10"),
        (DesiredPort("a", trunks=(20, 10)), "trunk 10,20"),
        (DesiredPort("a", tag=5, trunks=(1, 2), mode=VlanMode.NATIVE_TAGGED),
         "native-tagged 5 trunks 1,2"),
    ],
)  # fmt: skip
def test_vlans_in_words(port: DesiredPort, text: str) -> None:
    assert describe_vlans(port) == text
