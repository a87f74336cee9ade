from __future__ import annotations

import pytest

from hotswitch.config.notes import by_row
from hotswitch.config.read import Reader
from hotswitch.config.reading import Reading
from hotswitch.model.port import Hook
from hotswitch.ports.lifecycle import EPHEMERAL
from hotswitch.switch.check import check
from hotswitch.switch.desired import DesiredPort, PortKind, VlanMode
from tests.config.tables import TestTables


def read(tables: TestTables, **hints: int) -> Reading:
    reading = Reader().read(tables, hints)
    check(reading.desired)
    return reading


def remarks(reading: Reading, uuid: str) -> tuple[str, str]:
    found = by_row(reading.notes).get(uuid)
    return (found.error, found.not_acted_on) if found else ("", "")


@pytest.fixture
def tables() -> TestTables:
    made = TestTables()
    made.bridge("br0")
    return made


def ports(reading: Reading, bridge: str = "br0") -> dict[str, DesiredPort]:
    found = dict(reading.desired.bridges[bridge].ports)
    found.pop(bridge, None)
    return found


def test_without_a_root_nothing_is_wanted() -> None:
    empty = TestTables()
    empty["Open_vSwitch"].clear()
    assert read(empty) == Reading()


def test_settings_of_a_bridge(tables: TestTables) -> None:
    settings = {
        "mac-table-size": "100",
        "mac-aging-time": "60",
        "forward-bpdu": "true",
        "hwaddr": "00:11:22:33:44:55",
        "datapath-id": "0x7",
    }
    tables.put("Bridge", "bridge br0", other_config=settings)
    reading = read(tables)
    bridge = reading.desired.bridges["br0"]
    assert (bridge.address_limit, bridge.ageing_time, bridge.forward_reserved) == (100, 60, True)
    assert bridge.ports["br0"] == DesiredPort("br0", kind=PortKind.INTERNAL, mac=0x001122334455)
    assert reading.bridges["bridge br0"].identifier == "0000000000000007"
    assert reading.notes == ()


@pytest.mark.parametrize(
    ("settings", "ageing_time"),
    [
        ({}, 300),
        ({"mac-aging-time": "0"}, 300),
        ({"mac-aging-time": "5"}, 5),
        ({"mac-aging": "false", "mac-aging-time": "5"}, 0),
        ({"mac-aging": "true"}, 300),
    ],
)
def test_ageing(tables: TestTables, settings: dict[str, str], ageing_time: int) -> None:
    tables.put("Bridge", "bridge br0", other_config=settings)
    assert read(tables).desired.bridges["br0"].ageing_time == ageing_time


def test_settings_of_a_port(tables: TestTables) -> None:
    tables.port(
        "br0",
        "v0",
        tag=3,
        trunks=(4, 2, 4),
        vlan_mode="native-tagged",
        mtu_request=1400,
        ofport_request=9,
        other_config={"hook": "xdp"},
    )
    tables.put("Port", "port v0", other_config={"storm-limit": "1000", "transient": "true"})
    reading = read(tables)
    assert reading.notes == ()
    assert ports(reading) == {
        "v0": DesiredPort(
            "v0",
            3,
            (2, 4),
            VlanMode.NATIVE_TAGGED,
            Hook.XDP,
            1000,
            9,
            PortKind.SYSTEM,
            mtu=1400,
            lifecycle=EPHEMERAL,
        )
    }


def test_kinds(tables: TestTables) -> None:
    tables.port("br0", "a", type="internal", mac="00:00:00:00:00:01")
    tables.port("br0", "b", type="tap")
    tables.port("br0", "c", type="patch", options={"peer": "d"})
    tables.port("br0", "d", type="patch", options={"peer": "c"})
    tables.port("br0", "e", type="system")
    reading = read(tables)
    assert reading.notes == ()
    assert ports(reading) == {
        "a": DesiredPort("a", kind=PortKind.INTERNAL, mac=1),
        "b": DesiredPort("b", kind=PortKind.TAP),
        "c": DesiredPort("c", kind=PortKind.PATCH, peer="d"),
        "d": DesiredPort("d", kind=PortKind.PATCH, peer="c"),
        "e": DesiredPort("e"),
    }


def test_a_fake_bridge_is_an_internal_port(tables: TestTables) -> None:
    tables.port("br0", "vlan7", type="internal", tag=7, fake_bridge=True)
    assert ports(read(tables)) == {"vlan7": DesiredPort("vlan7", 7, kind=PortKind.INTERNAL)}


@pytest.mark.parametrize(
    ("values", "error"),
    [
        ({"type": "vxlan"}, "interfaces of type 'vxlan' are not supported; types are internal, "),
        ({"type": "patch"}, "a patch port needs the name of another one in options:peer"),
        ({"vlan_mode": "dot1q-tunnel"}, "vlan_mode dot1q-tunnel is not supported"),
        ({"tag": 4096}, "port v0 of bridge br0: VLAN 4096 is out of range (it is 0 to 4095)"),
    ],
)
def test_a_port_that_can_not_be(tables: TestTables, values: dict[str, object], error: str) -> None:
    tables.port("br0", "v0", **values)  # type: ignore[arg-type]
    tables.port("br0", "v1")
    reading = read(tables)
    assert ports(reading) == {"v1": DesiredPort("v1")}
    assert remarks(reading, "interface v0")[0].startswith(error)


@pytest.mark.parametrize("name", ["", ".", "a/b", "lo", "x" * 16, "a b"])
def test_a_name_that_can_not_be(tables: TestTables, name: str) -> None:
    tables.port("br0", name)
    tables.bridge(name)
    reading = read(tables)
    assert ports(reading) == {}
    assert list(reading.desired.bridges) == ["br0"]
    assert remarks(reading, f"bridge {name}")[0]
    assert remarks(reading, f"interface {name}")[0]


def test_a_bond_is_not_built_yet(tables: TestTables) -> None:
    for name in ("e0", "e1"):
        tables.put("Interface", f"interface {name}", name=name)
    tables.attach("br0", "bond0", "interface e0", "interface e1", bond_mode="active-backup")
    reading = read(tables)
    assert ports(reading) == {}
    error = "port bond0 has 2 interfaces; bonds are not supported yet"
    assert remarks(reading, "port bond0") == (error, "bond_mode")
    assert remarks(reading, "interface e0")[0] == remarks(reading, "interface e1")[0] == error


def test_an_unknown_kind_of_datapath(tables: TestTables) -> None:
    tables.put("Bridge", "bridge br0", datapath_type="odd")
    reading = read(tables)
    assert not reading.desired.bridges
    error = "datapath_type 'odd' is not supported; types are netdev, system"
    assert remarks(reading, "bridge br0") == (error, "")
    assert remarks(reading, "interface br0") == ("bridge br0 is not in force", "")


def test_two_rows_of_one_name(tables: TestTables) -> None:
    tables.bridge("br1")
    tables.port("br0", "v0")
    tables.put("Interface", "other v0", name="v0")
    tables.attach("br1", "v0'", "other v0")
    reading = read(tables)
    assert (*ports(reading), *ports(reading, "br1")) == ("v0",)
    assert remarks(reading, "interface v0") == ("", "")
    assert remarks(reading, "other v0") == ("interface v0 is another port's too", "")


def test_one_row_in_two_ports(tables: TestTables) -> None:
    tables.port("br0", "v0", tag=1)
    tables.attach("br0", "again", "interface v0", tag=2)
    reading = read(tables)
    assert len(ports(reading)) == 1
    in_force = ports(reading)["v0"].tag
    other = "port again" if in_force == 1 else "port v0"
    assert remarks(reading, other) == ("interface v0 is another port's too", "")
    assert remarks(reading, "interface v0") == ("", "")


def test_one_port_in_two_bridges(tables: TestTables) -> None:
    tables.bridge("br1")
    uuid = tables.port("br0", "v0")
    tables.put("Bridge", "bridge br1", ports=(uuid,))
    reading = read(tables)
    assert "v0" in ports(reading) and "v0" not in ports(reading, "br1")
    assert remarks(reading, "bridge br1")[1] == "ports (port v0 is another bridge's too)"


def test_a_bridge_is_no_port(tables: TestTables) -> None:
    tables.bridge("br1")
    tables.put("Interface", "x", name="br1")
    tables.attach("br0", "x", "x")
    assert remarks(read(tables), "x")[0] == "br1 is itself a bridge"


def test_numbers(tables: TestTables) -> None:
    tables.port("br0", "a", ofport_request=5)
    tables.port("br0", "b", ofport_request=5, ofport=5)
    tables.port("br0", "c")
    tables.port("br0", "d")
    tables.port("br0", "e", ofport_request=255)
    reading = read(tables, c=5, d=6, e=255, br0=7)
    assert {name: port.number for name, port in ports(reading).items()} == {
        "a": 0,
        "b": 5,
        "c": 0,
        "d": 6,
        "e": 0,
    }
    assert remarks(reading, "interface a") == ("", "ofport_request (5 is port b's)")
    assert remarks(reading, "interface e") == ("", "ofport_request (255 can't be had)")


def test_what_is_not_acted_on_is_said(tables: TestTables) -> None:
    tables.put("QoS", "q", type="linux-htb")
    tables.put("Bridge", "bridge br0", mirrors=("m",), fail_mode="secure", stp_enable=True)
    tables.port("br0", "v0", qos="q", mac="00:00:00:00:00:01", options={"x": "y"}, lacp="off")
    tables.put("Interface", "interface v0", ingress_policing_rate=8, bfd={"enable": "true"})
    tables.put("Open_vSwitch", "root", other_config={"vlan-limit": "2", "system-id": "x"})
    reading = read(tables)
    assert "v0" in ports(reading)
    assert remarks(reading, "bridge br0") == ("", "stp_enable; mirrors; fail_mode")
    assert remarks(reading, "port v0") == ("", "qos")
    assert remarks(reading, "root") == ("", "other_config:vlan-limit")
    assert remarks(reading, "interface v0") == (
        "",
        "ingress_policing_rate; bfd; options:x; "
        "mac (the device of a system interface keeps its own)",
    )


@pytest.mark.parametrize(
    ("table", "key", "given"),
    [
        ("Bridge", "mac-table-size", "many"),
        ("Bridge", "mac-table-size", "1000001"),
        ("Bridge", "mac-aging-time", "-1"),
        ("Bridge", "mac-aging-time", "9" * 30),
        ("Bridge", "mac-aging", "perhaps"),
        ("Bridge", "forward-bpdu", "1"),
        ("Bridge", "hwaddr", "01:00:00:00:00:00"),
        ("Bridge", "hwaddr", "00:00:00:00:00:00"),
        ("Bridge", "datapath-id", "0" * 16),
        ("Bridge", "datapath-id", "12"),
        ("Port", "storm-limit", "4096 "[:4] + "x"),
        ("Interface", "hook", "nothing"),
        ("Open_vSwitch", "stats-update-interval", "soon"),
        ("Open_vSwitch", "stats-update-interval", "4999"),
        ("Interface", "vif-preference", "x"),
    ],
)
def test_a_setting_that_is_not_understood(
    tables: TestTables, table: str, key: str, given: str
) -> None:
    tables.port("br0", "v0")
    before = read(tables)
    uuid = {"Bridge": "bridge br0", "Port": "port v0", "Interface": "interface v0"}.get(
        table, "root"
    )
    tables.put(table, uuid, other_config={key: given})
    reading = read(tables)
    assert reading.desired == before.desired
    error, ignored = remarks(reading, uuid)
    assert not error and ignored.startswith(f"other_config:{key} (")
    assert ignored.count("other_config:") == 1


def test_statistics_are_not_written_more_often_than_every_five_seconds(tables: TestTables) -> None:
    for given, period in (("1000", 5), ("20000", 20)):
        tables.put("Open_vSwitch", "root", other_config={"stats-update-interval": given})
        assert read(tables).statistics_period == period * 1_000_000_000


def test_what_has_no_status_itself_is_said_where_it_belongs(tables: TestTables) -> None:
    samples = {"id": 7, "bridge": "bridge br0"}
    tables.put("Flow_Sample_Collector_Set", "set", **samples)
    tables.put("Open_vSwitch", "root", datapaths={"system": "datapath"})
    reading = read(tables)
    assert remarks(reading, "bridge br0") == ("", "Flow_Sample_Collector_Set 7")
    assert remarks(reading, "root") == ("", "datapaths")


def test_rows_that_have_not_changed_are_not_read_again(tables: TestTables) -> None:
    tables.port("br0", "a")
    tables.port("br0", "b")
    reader = Reader()
    before = reader.read(tables)
    tables.put("Interface", "interface a", mtu_request=1400)
    after = reader.read(tables)
    assert ports(after)["b"] is ports(before)["b"]
    assert ports(after)["a"].mtu == 1400
    tables.put("Bridge", "bridge br0", other_config={"hwaddr": "00:00:00:00:00:01"})
    assert reader.read(tables).desired.bridges["br0"].ports["br0"].mac == 1


def test_a_reader_that_remembers_reads_the_same_as_a_new_one(tables: TestTables) -> None:
    reader = Reader()
    reader.read(tables)
    tables.bridge("br1")
    tables.port("br1", "v0")
    assert reader.read(tables) == read(tables)
    tables.put("Open_vSwitch", "root", bridges=("bridge br0",))
    assert reader.read(tables) == read(tables)
    del tables["Interface"]["interface br0"]
    assert reader.read(tables) == read(tables)
