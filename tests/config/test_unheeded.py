"""What the database says and the switch does not do, as values."""

from __future__ import annotations

import pytest

from hotswitch.config.edit import EditError, discard
from hotswitch.config.read import Reader
from hotswitch.config.unheeded import Refused, Unheeded, unheeded
from tests.config.tables import TestTables


@pytest.fixture
def tables() -> TestTables:
    made = TestTables()
    made.bridge("br0")
    return made


def found(tables: TestTables) -> Unheeded:
    return unheeded(tables, Reader().read(tables))


def names(said: Unheeded) -> list[tuple[str, str]]:
    return [(each.bridge, each.port) for each in said.refused]


def test_of_what_is_as_wanted_there_is_nothing_to_say(tables: TestTables) -> None:
    tables.port("br0", "v0", tag=5)
    assert found(tables) == Unheeded()


def test_refused_rows_have_reasons_and_places(tables: TestTables) -> None:
    tables.put("Bridge", "bridge br0", other_config={})
    tables.port("br0", "vx0", type="vxlan", options={"remote_ip": "10.0.0.9"})
    for name in ("e1", "e2"):
        tables.put("Interface", f"interface {name}", name=name)
    tables.attach("br0", "bond0", "interface e1", "interface e2")
    tables.bridge("a/b")
    said = found(tables)
    assert names(said) == [("a/b", ""), ("a/b", "a/b"), ("br0", "bond0"), ("br0", "vx0")]
    vxlan, bond = said.port("vx0"), said.port("bond0")
    assert vxlan and "type 'vxlan' are not supported" in vxlan.reason
    assert bond == Refused(
        "br0",
        "bond0",
        "port bond0 has 2 interfaces; bonds are not supported yet",
        "port bond0",
        "bridge br0",
        ("e1", "e2"),
    )
    assert said.owner("e2") is bond and said.owner("e3") is None
    assert said.bridge("a/b") and said.bridge("br0") is None
    assert [each.port for each in said.ports("br0")] == ["bond0", "vx0"]


def test_of_two_rows_with_one_name_one_is_refused(tables: TestTables) -> None:
    for name in ("v1", "v2", "v"):
        tables.put("Interface", f"interface {name}", name=name)
    tables.attach("br0", "v", "interface v1", "interface v2", other_config={"vif": "true"})
    tables.attach("br0", "w", "interface v")
    said = found(tables)
    assert len(said.refused) == 1
    assert said.refused[0].reason == "interface v is another port's too"


def test_an_interface_that_two_ports_have_is_refused_to_one(tables: TestTables) -> None:
    tables.port("br0", "v0")
    tables.attach("br0", "w0", "interface v0")
    assert [each.row for each in found(tables).refused] == ["port w0"]


def test_a_local_port_whose_row_is_refused(tables: TestTables) -> None:
    tables.put("Port", "port br0", vlan_mode="dot1q-tunnel")
    (refused,) = found(tables).refused
    assert refused.is_local and refused.name == "br0"
    assert refused.reason == "vlan_mode dot1q-tunnel is not supported"


def test_what_is_without_effect_is_told_row_by_row(tables: TestTables) -> None:
    tables.put("Bridge", "bridge br0", stp_enable=True, other_config={"adopt": " ;;;"})
    tables.port("br0", "v0", protected=True, ingress_policing_rate=1, options={"x": "y"})
    said = found(tables)
    assert said.refused == ()
    assert said.not_acted_on == {
        ("br0", ""): (
            "Bridge br0: stp_enable; "
            "other_config:adopt (' ;;;' holds no rule (without text there are none))",
        ),
        ("br0", "v0"): (
            "Port v0: protected",
            "Interface v0: ingress_policing_rate; options:x",
        ),
    }


def test_what_concerns_no_bridge(tables: TestTables) -> None:
    tables.put("Open_vSwitch", "root", other_config={"vlan-limit": "2"})
    wrong = {"status": {"last_error": "Connection refused"}}
    tables.put("Manager", "m1", target="tcp:10.0.0.2:6640", **wrong)
    tables.put("Manager", "m2", target="tcp:10.0.0.1:6640", **wrong)
    tables.put("Manager", "m3", target="tcp:10.0.0.3:6640", is_connected=True, **wrong)
    kept = {"not_acted_on": "other_config:dscp"}
    tables.put("Manager", "m4", target="ptcp:6640", is_connected=True, status=kept)
    assert found(tables).of_daemon == (
        "not acted on: Open_vSwitch: other_config:vlan-limit",
        "not acted on: Manager ptcp:6640: other_config:dscp",
        "Manager tcp:10.0.0.1:6640: Connection refused",
        "Manager tcp:10.0.0.2:6640: Connection refused",
    )


def test_a_refused_row_is_deleted_where_it_is_referred_to(tables: TestTables) -> None:
    bridge = Refused("a/b", "", "why", "row a")
    port = Refused("br0", "vx0", "why", "row b", "bridge br0")
    for refused, table, row, column in (
        (bridge, "Open_vSwitch", "root", "bridges"),
        (port, "Bridge", "bridge br0", "ports"),
    ):
        deletion, count = discard(tables, refused)
        assert (deletion["table"], deletion["where"]) == (table, [["_uuid", "==", ["uuid", row]]])
        assert deletion["mutations"] == [[column, "delete", ["uuid", refused.row]]]
        assert count["mutations"] == [["next_cfg", "+=", 1]]
    tables["Open_vSwitch"].clear()
    with pytest.raises(EditError):
        discard(tables, bridge)


def test_an_interface_of_a_refused_bridge_that_a_bond_has_too(tables: TestTables) -> None:
    tables.bridge("br1", datapath_type="odd")
    for name in ("i0", "i1"):
        tables.put("Interface", f"interface {name}", name=name)
    tables.attach("br0", "bond", "interface i0", "interface i1")
    tables.attach("br1", "p1", "interface i1")
    assert names(found(tables)) == [("br1", ""), ("br0", "bond"), ("br1", "br1"), ("br1", "i1")]


def test_a_port_that_two_bridges_have_is_in_force_in_the_first(tables: TestTables) -> None:
    tables.port("br0", "v0")
    tables.put("Bridge", "bridge br1", name="br1", ports=("port v0",))
    tables.put("Bridge", "bridge br2", name="br2", ports=("port v0",), datapath_type="odd")
    tables.put("Open_vSwitch", "root", bridges=("bridge br0", "bridge br1", "bridge br2"))
    tables.put("Interface", "interface b", name="b")
    tables.attach("br0", "bond", "interface v0", "interface b")
    said = found(tables)
    assert names(said) == [("br2", ""), ("br0", "bond")]
    assert ("br2", "") in said.not_acted_on
