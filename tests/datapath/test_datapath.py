"""The datapath's books: all or nothing, lowest free numbers, what an engine left."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from hotswitch.base.clock import ManualClock
from hotswitch.datapath.contract import Change, Counters, DatapathError, DeleteEntry, PutEntry
from hotswitch.datapath.datapath import EntryDatapath
from hotswitch.datapath.engines.reference import ReferenceEngine
from hotswitch.datapath.provider import Restored
from hotswitch.headers.standard import standard_registry
from hotswitch.model import action as act
from hotswitch.model.action import Action
from hotswitch.model.entry import Entry, EntryKey, EntryStatistics
from hotswitch.model.match import ANY, Match
from hotswitch.model.port import Address, Hook, LinkLife, Meter, Port, PortStatistics, Side

REGISTRY = standard_registry()
FRAME = bytes(60)


class Engine(ReferenceEngine):
    """Has something left from before, and can be out of order."""

    left = Restored()
    broken = False

    def restore(self) -> Restored:
        super().put_ports(self.left.ports)
        super().change(self.left.entries, [])
        return self.left

    def put_ports(self, ports: Sequence[Port]) -> Mapping[int, DatapathError]:
        self._fail()
        return super().put_ports(ports)

    def put_meter(self, meter: Meter) -> None:
        self._fail()
        super().put_meter(meter)

    def change(
        self, puts: Sequence[Entry], deletes: Sequence[EntryKey]
    ) -> Mapping[EntryKey, EntryStatistics]:
        self._fail()
        return super().change(puts, deletes)

    def _fail(self) -> None:
        if self.broken:
            raise DatapathError("no room")


@pytest.fixture
def engine() -> Engine:
    return Engine(REGISTRY, ManualClock(), address_limit=2)


@pytest.fixture
def datapath(engine: Engine) -> EntryDatapath:
    return EntryDatapath("dp0", REGISTRY, engine)


def put(priority: int, *actions: Action, match: Match = ANY) -> PutEntry:
    return PutEntry(Entry(0, priority, match, actions))


def delete(priority: int) -> DeleteEntry:
    return DeleteEntry(EntryKey(0, priority, ANY))


def key(priority: int) -> EntryKey:
    return EntryKey(0, priority, ANY)


def test_ports_take_the_lowest_free_number(datapath: EntryDatapath) -> None:
    assert [datapath.add_port(name).number for name in "abc"] == [1, 2, 3]
    datapath.delete_port(2)
    assert datapath.add_port("d", number=7) == Port(7, "d")
    assert [datapath.add_port(name).number for name in "ef"] == [2, 4]
    assert sorted(datapath.ports()) == [1, 2, 3, 4, 7]


@pytest.mark.parametrize(
    ("name", "number", "ifindex", "message"),
    [
        ("taken", 0, 0, "there is a port taken already, number 1"),
        ("b", 1, 0, "port b: number 1 belongs to port taken"),
        ("b", 0, 10, "port b: its link 10 belongs to port taken"),
        ("", 0, 0, "'' cannot be a port's name"),
        ("a b", 0, 0, "'a b' cannot be a port's name"),
        ("a/b", 0, 0, "no spaces and no slashes"),
        ("..", 0, 0, "cannot be a port's name"),
        ("a" * 16, 0, 0, "is too long for a port's name (at most 15 bytes)"),
        ("äöüäöüäö", 0, 0, "is too long"),
        ("b", 0xFF00, 0, "port b: number 65280 cannot be"),
        ("b", -1, 0, "port b: number -1 cannot be"),
        ("b", 0, -1, "port b: no link has the index -1"),
    ],
)
def test_ports_that_are_refused(
    datapath: EntryDatapath, name: str, number: int, ifindex: int, message: str
) -> None:
    taken = datapath.add_port("taken", ifindex=10)
    with pytest.raises(DatapathError) as caught:
        datapath.add_port(name, number=number, ifindex=ifindex)
    assert message in str(caught.value)
    assert dict(datapath.ports()) == {1: taken}
    assert list(datapath.port_statistics()) == [1]


@pytest.mark.parametrize(
    ("links", "message"),
    [
        ({"standby": (LinkLife(0),)}, "no link has the index 0"),
        ({"standby": (LinkLife(5), LinkLife(5, 1))}, "has a link twice"),
        ({"ifindex": 5, "standby": (LinkLife(5),)}, "has a link twice"),
        ({"standby": (LinkLife(5), LinkLife(10))}, "its link 10 belongs to port taken"),
        ({"ifindex": 11}, "its link 11 belongs to port taken"),
        ({"incarnation": -1}, "-1 cannot be an incarnation"),
        ({"ifindex": 5, "incarnation": 1 << 64}, "18446744073709551616 cannot be an incarnation"),
        ({"standby": (LinkLife(5, -1),)}, "-1 cannot be an incarnation"),
        ({"standby": tuple(LinkLife(20 + n) for n in range(16))}, "16 standby links (at most 15)"),
        ({"side": Side.HOST, "standby": (LinkLife(5),)}, "no standby links"),
        ({"side": Side.HOST, "hook": Hook.XDP}, "XDP does not see what the host sends"),
    ],
)
def test_links_that_are_refused(
    datapath: EntryDatapath, links: dict[str, Any], message: str
) -> None:
    taken = datapath.add_port("taken", ifindex=10, standby=(LinkLife(11),))
    port = datapath.add_port("b")
    for attempt in (
        lambda: datapath.add_port("c", **links),
        lambda: datapath.set_port(replace(port, **links)),
    ):
        with pytest.raises(DatapathError) as caught:
            attempt()
        assert message in str(caught.value)
    assert dict(datapath.ports()) == {1: taken, 2: port}


def test_a_port_changes_and_keeps_its_statistics(datapath: EntryDatapath, engine: Engine) -> None:
    datapath.add_port("a")
    engine.process(1, FRAME)
    datapath.set_port(Port(1, "renamed", 5, Hook.XDP))
    assert datapath.ports()[1] == Port(1, "renamed", 5, Hook.XDP)
    assert datapath.delete_port(1) == PortStatistics(1, 60, 1)
    assert not datapath.ports() and not datapath.port_statistics()
    for refused in (lambda: datapath.set_port(Port(1, "a")), lambda: datapath.delete_port(1)):
        with pytest.raises(DatapathError, match="dp0 has no port 1"):
            refused()


def test_a_port_cannot_take_anothers_name_or_link(datapath: EntryDatapath) -> None:
    datapath.add_port("a", ifindex=1)
    datapath.add_port("b", ifindex=2)
    for wrong in (Port(2, "a", 2), Port(2, "b", 1)):
        with pytest.raises(DatapathError):
            datapath.set_port(wrong)
    assert datapath.ports()[2] == Port(2, "b", 2)


def test_a_port_takes_its_addresses_with_it(datapath: EntryDatapath) -> None:
    datapath.add_port("a")
    datapath.add_port("b")
    datapath.put_address(Address(0, 1, 1))
    datapath.put_address(Address(0, 2, 2, static=True))
    datapath.delete_port(2)
    assert datapath.addresses() == [Address(0, 1, 1)]


def test_all_changes_or_none(datapath: EntryDatapath) -> None:
    datapath.change([put(1, act.Drop())])
    before = dict(datapath.entries())
    bad: list[Change] = [put(3, act.Output(0)), delete(9), put(3, match=Match.of({"x": 1}))]
    for each in bad:
        with pytest.raises(DatapathError):
            datapath.change([put(2), delete(1), each])
        assert dict(datapath.entries()) == before
        assert list(datapath.entry_statistics()) == list(before)


def test_an_engine_that_fails_leaves_the_books(datapath: EntryDatapath, engine: Engine) -> None:
    datapath.change([put(1)])
    engine.broken = True
    for attempt in (
        lambda: datapath.change([put(2), delete(1)]),
        lambda: datapath.add_port("a"),
        lambda: datapath.put_meter(Meter(1, 1, 1)),
    ):
        with pytest.raises(DatapathError, match="no room"):
            attempt()
    assert list(datapath.entries()) == [key(1)]
    assert not datapath.ports() and not datapath.meters()


@pytest.mark.parametrize(
    ("changes", "left", "reported"),
    [
        ([put(1, act.Drop())], {1: act.Drop()}, {}),
        ([put(1, act.Drop()), put(1, act.ToHost())], {1: act.ToHost()}, {}),
        ([delete(1)], {}, {1: 1}),
        ([delete(1), put(1, act.Drop())], {1: act.Drop()}, {1: 1}),
        ([put(1, act.Drop()), delete(1)], {}, {1: 1}),
        ([delete(1), put(1), delete(1)], {}, {1: 1}),
        ([put(2), delete(2)], {1: act.PopVlan()}, {2: 0}),
        ([put(2), delete(2), put(2, act.Drop())], {1: act.PopVlan(), 2: act.Drop()}, {2: 0}),
    ],
)
def test_changes_are_made_in_their_order(
    datapath: EntryDatapath,
    engine: Engine,
    changes: list[Change],
    left: dict[int, Action],
    reported: dict[int, int],
) -> None:
    datapath.add_port("a")
    datapath.change([put(1, act.PopVlan())])
    engine.process(1, FRAME)
    last = datapath.change(changes)
    found = {each.priority: each.actions[0] for each in datapath.entries().values()}
    assert found == left
    assert {each.priority: statistics.packets for each, statistics in last.items()} == reported
    packets = {each.priority: now.packets for each, now in datapath.entry_statistics().items()}
    restarted = any(isinstance(each, DeleteEntry) for each in changes)
    assert packets == {
        each: int(each == 1 and (1 not in reported or not restarted)) for each in left
    }


@pytest.mark.parametrize(
    "changes", [[delete(2)], [delete(1), delete(1)], [put(2), delete(2), delete(2)]]
)
def test_deleting_what_is_not_there(datapath: EntryDatapath, changes: list[Change]) -> None:
    datapath.change([put(1)])
    with pytest.raises(DatapathError, match="there is no entry to delete: table 0, priority"):
        datapath.change(changes)
    assert list(datapath.entries()) == [key(1)]


def test_keys_are_compared_in_normal_form(datapath: EntryDatapath) -> None:
    loose, exact = Match.of({"vlan.vid": 5}), Match.of({"vlan.vid": (5, 0xFFF)})
    datapath.change([put(1, match=loose), put(1, act.Drop(), match=exact)])
    assert [each.actions for each in datapath.entries().values()] == [(act.Drop(),)]
    datapath.change([DeleteEntry(EntryKey(0, 1, loose))])
    assert not datapath.entries()


def test_nothing_new_does_not_trouble_the_engine(datapath: EntryDatapath, engine: Engine) -> None:
    datapath.change([put(1, act.Drop())])
    engine.broken = True
    assert not datapath.change([]) and not datapath.change([put(1, act.Drop())])


@pytest.mark.parametrize(
    ("address", "message"),
    [
        (Address(4096, 1, 1), "there is no VLAN 4096"),
        (Address(0, 0, 1), "0x0 is not an Ethernet address"),
        (Address(0, 1 << 48, 1), "is not an Ethernet address"),
        (Address(0, 1, 9), "dp0 has no port 9"),
    ],
)
def test_addresses_that_are_refused(
    datapath: EntryDatapath, address: Address, message: str
) -> None:
    datapath.add_port("a")
    with pytest.raises(DatapathError, match=message):
        datapath.put_address(address)
    assert datapath.addresses() == []


def test_the_address_table_has_an_end(datapath: EntryDatapath) -> None:
    datapath.add_port("a")
    for mac in (1, 2, 2):
        datapath.put_address(Address(0, mac, 1))
    with pytest.raises(DatapathError, match="the address table is full, 2 rows"):
        datapath.put_address(Address(0, 3, 1))
    assert datapath.find_addresses([(0, 2), (1, 2), (0, 3)]) == [Address(0, 2, 1)]
    wrong_port, right = Address(0, 1, 7), Address(0, 2, 1)
    assert datapath.delete_addresses([wrong_port, right, right]) == 1
    assert datapath.addresses() == [Address(0, 1, 1)]


@pytest.mark.parametrize(
    "meter", [Meter(1, 0, 1), Meter(1, 1, 0), Meter(-1, 1, 1), Meter(1, 10**9 + 1, 1)]
)
def test_meters_that_are_refused(datapath: EntryDatapath, meter: Meter) -> None:
    with pytest.raises(DatapathError, match=r"meter -?1"):
        datapath.put_meter(meter)
    assert not datapath.meters()


def test_meters_come_and_go(datapath: EntryDatapath) -> None:
    datapath.put_meter(Meter(1, 5, 5))
    datapath.put_meter(Meter(1, 6, 6))
    assert dict(datapath.meters()) == {1: Meter(1, 6, 6)}
    datapath.delete_meter(1)
    with pytest.raises(DatapathError, match="dp0 has no meter 1"):
        datapath.delete_meter(1)


def test_what_an_earlier_life_left_is_taken_over(engine: Engine) -> None:
    port, entry = Port(3, "old", 9), Entry(4, 5, ANY, (act.Drop(),))
    engine.left = Restored((port,), (entry,), (Meter(1, 1, 1),))
    datapath = EntryDatapath("dp0", REGISTRY, engine)
    assert dict(datapath.ports()) == {3: port}
    assert dict(datapath.entries()) == {entry.key: entry}
    assert dict(datapath.meters()) == {1: Meter(1, 1, 1)}
    assert [datapath.add_port(name).number for name in "abc"] == [1, 2, 4]
    assert datapath.change([DeleteEntry(entry.key)]) == {entry.key: EntryStatistics()}


def test_counters_and_destruction(datapath: EntryDatapath, engine: Engine) -> None:
    datapath.add_port("a")
    engine.process(1, FRAME)
    assert datapath.counters() == Counters(missed=1)
    assert datapath.upcalls() == [] and datapath.upcall_descriptor() == -1
    assert datapath.report().engine == "reference"
    datapath.close()
    datapath.destroy()
    assert not datapath.ports()


def test_the_books_are_read_only(datapath: EntryDatapath) -> None:
    with pytest.raises(TypeError):
        datapath.ports()[1] = Port(1, "a")  # type: ignore[index]
